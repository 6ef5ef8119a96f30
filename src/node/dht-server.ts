import {
  contentRoutingSymbol,
  NotFoundError,
  type Peer,
  type PeerData,
  type PeerId,
  type PeerStore,
  peerDiscoverySymbol,
  peerRoutingSymbol,
} from '@libp2p/interface'
import type { KadDHTComponents, SingleKadDHT } from '@libp2p/kad-dht'
import type { Ping, PingComponents } from '@libp2p/ping'

/** Services of libp2p with which a seed answers the DHT queries of its peers. */
export interface DhtServices {
  readonly ping: (components: PingComponents) => Ping
  readonly dht: (components: KadDHTComponents) => SingleKadDHT
}

/** Connected peers wait here for their ping before they enter the routing table. */
const updateQueue = 1_024
/** Concurrent queries of one connection. Guess: go-libp2p keeps one stream per peer. */
const inboundStreams = 8

/**
 * Loads the DHT server of a seed, which takes 1.5 MiB of memory.
 *
 * Three settings differ from the defaults of kad-dht, with which peers on private networks find nobody: the protocol,
 * the server mode, and the mapper, which would remove all private addresses.
 *
 * It answers from its routing table and the peer store, and only that: whatever a peer says about others, or asks this
 * node to keep, would have no bound. So it sends no queries, stores no records and providers, and its discoveries do
 * not reach the peer store. Its routing table has the peers that connected and answered a ping; others find further
 * seeds in it and ask them.
 */
export async function loadDhtServer(protocol: string): Promise<DhtServices> {
  const [{ kadDHT, passthroughMapper }, { ping }] = await Promise.all([
    import('@libp2p/kad-dht'),
    import('@libp2p/ping'),
  ])
  const create = kadDHT({
    protocol,
    clientMode: false,
    peerInfoMapper: passthroughMapper,
    routingTableUpdateMaxQueueSize: updateQueue,
    maxInboundStreams: inboundStreams,
  })
  const dht = (components: KadDHTComponents) => {
    const server = create(answeringOnly(components)) as SingleKadDHT
    // With these symbols libp2p would ask the DHT, and store every peer that an answer names.
    for (const symbol of [peerDiscoverySymbol, peerRoutingSymbol, contentRoutingSymbol])
      Object.defineProperty(server, symbol, { value: undefined })
    return server
  }
  return { ping: ping(), dht }
}

function answeringOnly(components: KadDHTComponents): KadDHTComponents {
  const { peerId, privateKey, registrar, addressManager, events, logger, ping, connectionManager, peerStore } =
    components
  const { metrics } = components
  return {
    ...{ peerId, privateKey, registrar, addressManager, events, logger, ping },
    ...(metrics === undefined ? {} : { metrics }),
    connectionManager: override(connectionManager, {
      openStream: () => Promise.reject(new Error('the DHT of a seed sends no queries')),
    }),
    peerStore: override(peerStore, { merge: (peer, data) => mergeTags(peerStore, peer, data) }),
    datastore: noRecords,
  }
}

/**
 * The DHT tags the peers of its table. It may not add addresses, which identify brings; a tag that asks libp2p to keep
 * the connection, since the mesh decides about redials; or a record of a peer that it only untags.
 */
async function mergeTags(peerStore: PeerStore, peer: PeerId, { tags }: PeerData): Promise<Peer> {
  const entries = tags instanceof Map ? [...tags] : Object.entries(tags ?? {})
  const kept = entries.filter(([name]) => !name.startsWith('keep-alive'))
  const isRemoval = kept.every(([, tag]) => tag === undefined)
  if (!isRemoval || (await peerStore.has(peer))) return peerStore.merge(peer, { tags: Object.fromEntries(kept) })
  return { id: peer, addresses: [], protocols: [], metadata: new Map(), tags: new Map() }
}

/** An empty datastore that stays empty. */
const noRecords = {
  async *query() {},
  get: () => Promise.reject(new NotFoundError('the DHT of a seed has no records')),
  put: () => Promise.reject(new Error('the DHT of a seed stores no records')),
  has: () => Promise.resolve(false),
  delete: () => Promise.resolve(),
} as unknown as KadDHTComponents['datastore']

/** The object with some members replaced. Its own methods keep their `this`, which may have private members. */
function override<T extends object>(object: T, members: Partial<T>): T {
  return new Proxy(object, {
    get(target, name) {
      if (Object.hasOwn(members, name)) return Reflect.get(members, name)
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}
