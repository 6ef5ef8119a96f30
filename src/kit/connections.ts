import type { Connection, IdentifyResult, PeerId, Stream } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { ConnectionInfo } from '../core/events.ts'
import type { GossipLack, GossipState } from '../core/gossip-repair.ts'
import { limits } from '../core/limits.ts'
import type { Clock } from '../core/machine.ts'
import type { OwnedMap } from '../core/owned-map.ts'
import type { Owner } from '../core/owner.ts'
import type { NetworkComponents, PubSub } from './components.ts'
import { type GossipStreams, gossipPrefix } from './gossip-streams.ts'
import type { LinkStream } from './link-streams.ts'
import { transportOf, withoutPeer } from './multiaddrs.ts'

/** State of one connection that libp2p does not hold. */
export interface ConnectionRecord {
  readonly connection: Connection
  isIdentified: boolean
  /** Multiaddr at which the peer sees this node. */
  observedAddress: string | undefined
  /** By the newest identify, or before it by an open stream of the peer; undefined when unknown. */
  speaksGossip: boolean | undefined
  /** Since when gossipsub lacks its stream to this peer or the peer's subscriptions; undefined while it has both. */
  lackingSince: number | undefined
  /** Milliseconds that messages have waited for gossipsub on this connection. */
  waitedMs: number
  /** From identify; empty before. */
  agentVersion: string
  /** The one link stream, once it is open. */
  link: LinkStream | undefined
  /** This node is opening the link stream. */
  isOpeningLink: boolean
  isClosing: boolean
  /** Our dialler opened it. */
  isOurs: boolean
  /** The mesh no longer uses this connection but may not close it; the application goes on with it. */
  isLeftToApp: boolean
  /** The peer did not answer on it: the mesh does not resume it. */
  isUnresponsive: boolean
  /** Who opened connections to the same peer that closed before it. */
  earlier: readonly ConnectionOwner[]
}

/** `mesh`: its dialler opened it; `application`: the application did; `peer`: it came in. */
export type ConnectionOwner = 'mesh' | 'application' | 'peer'

/**
 * One record per libp2p connection, by id. Events of libp2p are hints only: `reconcile`, before each snapshot for the
 * core, compares the records with the connections that libp2p has. Every other method that returns something changes nothing, except
 * `getOrCreate`.
 */
export class Connections {
  readonly #components: NetworkComponents
  readonly #clock: Clock
  readonly #gossip: Gossip | undefined
  readonly #probes: { readonly includes: (peer: PeerId) => boolean }
  readonly #closes: 'own' | 'all'
  readonly #records: OwnedMap<string, ConnectionRecord>

  /**
   * `gossip`: undefined for a node without gossipsub. `connectionsHigh`: maximum of connected peers. `probes`: peers that only
   * dial back. `closes`: the connections that the mesh may close.
   */
  constructor(
    components: NetworkComponents,
    owner: Owner,
    clock: Clock,
    gossip: Gossip | undefined,
    connectionsHigh: number = limits.peers,
    probes: { readonly includes: (peer: PeerId) => boolean } = { includes: () => false },
    closes: 'own' | 'all' = 'all',
  ) {
    this.#probes = probes
    this.#components = components
    this.#clock = clock
    this.#gossip = gossip
    this.#closes = closes
    this.#records = owner.map<string, ConnectionRecord>({
      name: 'connections',
      capacity: (connectionsHigh + limits.relayedPeers) * limits.linksPerPeer,
      expiry: { event: 'its connection closes' },
      release: (record, _, reason) => {
        record.link?.abort(new Error('the connection is closed'))
        if (reason !== 'closed') this.#bequeath(record)
      },
    })
  }

  getOrCreate(connection: Connection): ConnectionRecord {
    const existing = this.#records.get(connection.id)
    if (existing !== undefined) return existing
    const record = newRecord(connection)
    this.#records.set(connection.id, record, this.#clock.now())
    return record
  }

  /** Removes the records of connections that libp2p no longer has, adds missing ones, and notes which lack gossip. */
  reconcile(): void {
    const connections = this.#components.connectionManager.getConnections()
    const ids = new Set(connections.map(({ id }) => id))
    for (const id of [...this.#records.keys()]) if (!ids.has(id)) this.#records.delete(id)
    const peers = this.#gossipPeers(connections)
    for (const connection of this.#meshConnections(connections)) {
      const record = this.getOrCreate(connection)
      if (this.#gossip === undefined) continue
      if (hasAnyGossipStream(record, peers)) record.speaksGossip ??= true
      const peer = connection.remotePeer.toString()
      const isComplete = peers.outbound.has(peer) && peers.inbound.has(peer)
      if (!speaksGossip(record, peers) || isComplete) record.lackingSince = undefined
      else if (!record.isClosing) record.lackingSince ??= this.#clock.now()
    }
  }

  find(id: string): ConnectionRecord | undefined {
    return this.#records.get(id)
  }

  onIdentified({ connection, protocols, agentVersion = '', observedAddr }: IdentifyResult): void {
    if (connection.status !== 'open') return
    const record = this.getOrCreate(connection)
    record.isIdentified = true
    record.observedAddress = observedAddr?.toString()
    if (agentVersion !== '') record.agentVersion = agentVersion
    if (protocols.length > 0) this.#setGossips(connection.remotePeer, protocols)
  }

  /** A peer that no longer lists gossipsub has stopped it on all its connections. */
  #setGossips(peer: PeerId, protocols: readonly string[]): void {
    const speaksGossip = protocols.some((protocol) => protocol.startsWith(gossipPrefix))
    for (const record of this.#records.values())
      if (record.connection.remotePeer.equals(peer)) record.speaksGossip = speaksGossip
  }

  onClosed(connection: Connection): void {
    this.#records.deleteIf(connection.id, (record) => record.connection === connection)
  }

  /** Agent version of a peer from identify; undefined before. */
  agentOf(peer: string): string | undefined {
    for (const { agentVersion, connection } of this.#records.values())
      if (agentVersion !== '' && connection.remotePeer.toString() === peer) return agentVersion
    return undefined
  }

  /** All connections to a peer. */
  connectionsTo(peer: PeerId): readonly Connection[] {
    return this.#components.connectionManager.getConnections(peer)
  }

  /** Connections that have lacked gossipsub for at most `ms`: they are likely to get it soon. */
  lackingGossip(ms: number): readonly ConnectionRecord[] {
    const lackedAfter = this.#clock.now() - ms
    const isLacking = ({ lackingSince }: ConnectionRecord) => lackingSince !== undefined && lackingSince > lackedAfter
    return [...this.#records.values()].filter(isLacking)
  }

  /**
   * An identified connection to this peer, or one that we dialled to one of these addresses. The mesh may have left it to
   * the application, and then the caller resumes it.
   */
  findReaching(peer: PeerId | undefined, addresses: readonly Multiaddr[]): ConnectionRecord | undefined {
    const candidates = this.#usable(peer, addresses).filter(({ isIdentified }) => isIdentified)
    return candidates.find(({ isLeftToApp }) => !isLeftToApp) ?? candidates.find(canResume)
  }

  /** Whether an open connection to this peer waits for identify. */
  isIdentifying(peer: PeerId | undefined, addresses: readonly Multiaddr[]): boolean {
    return this.#usable(peer, addresses).some(({ isIdentified, isLeftToApp }) => !isIdentified && !isLeftToApp)
  }

  #usable(peer: PeerId | undefined, addresses: readonly Multiaddr[]): ConnectionRecord[] {
    const texts = addresses.map(withoutPeer)
    return [...this.#records.values()].filter(({ connection, isClosing }) => {
      if (isClosing || connection.status !== 'open' || connection.limits !== undefined) return false
      if (peer !== undefined) return connection.remotePeer.equals(peer)
      return connection.direction === 'outbound' && texts.includes(withoutPeer(connection.remoteAddr))
    })
  }

  /** Of shared connections the mesh closes only those that it dialled and the application does not use. */
  mayClose({ isOurs, connection }: ConnectionRecord): boolean {
    return this.#closes !== 'own' || (isOurs && !servesApplication(connection))
  }

  /**
   * Who opened the connections to a peer since it last had none: the application, if it opened one of them, else the
   * mesh, else the peer. Asked when the last one closes, it still knows that one.
   */
  openedBy(peer: PeerId): ConnectionOwner {
    const records = [...this.#records.values()].filter(({ connection }) => connection.remotePeer.equals(peer))
    const owners = records.flatMap(openersOf)
    return owners.find((owner) => owner === 'application') ?? owners.find((owner) => owner === 'mesh') ?? 'peer'
  }

  /** The records of a peer's other connections remember who opened this one. */
  #bequeath(record: ConnectionRecord): void {
    for (const { id } of this.connectionsTo(record.connection.remotePeer)) {
      const heir = this.#records.get(id)
      if (heir !== undefined && heir !== record) heir.earlier = [...new Set([...heir.earlier, ...openersOf(record)])]
    }
  }

  /** Whether the application goes on with the connection without the mesh. */
  isLeftToApp(id: string): boolean {
    return this.#records.get(id)?.isLeftToApp === true
  }

  /** Connections of the mesh, those without a record yet included. */
  connectionInfos(): readonly ConnectionInfo[] {
    const connections = this.#components.connectionManager.getConnections()
    const gossipPeers = this.#gossipPeers(connections)
    return this.#meshConnections(connections).map((connection) => this.#connectionInfo(connection, gossipPeers))
  }

  /** A connection that has just opened and has no stream yet; undefined if the mesh does not use it. */
  openedInfo(connection: Connection): ConnectionInfo | undefined {
    if (connection.status !== 'open' || !this.#isOfMesh(connection)) return undefined
    return this.#connectionInfo(connection, noGossipPeers())
  }

  #isOfMesh({ id, remotePeer }: Connection): boolean {
    return !this.isLeftToApp(id) && !this.#probes.includes(remotePeer)
  }

  #meshConnections(connections: readonly Connection[]): readonly Connection[] {
    return connections.filter((connection) => this.#isOfMesh(connection))
  }

  #connectionInfo(connection: Connection, peers: GossipPeers): ConnectionInfo {
    const peer = connection.remotePeer.toString()
    const record = this.#records.get(connection.id) ?? newRecord(connection)
    return {
      id: connection.id,
      peer,
      direction: connection.direction,
      address: connection.remoteAddr.toString(),
      transport: transportOf(connection.remoteAddr),
      observed: record.observedAddress,
      gossip: this.#gossipOf(record, peer, peers),
      isLimited: connection.limits !== undefined,
      isForeign: this.#closes === 'own' && !record.isOurs,
      isUnidentified: !record.isIdentified,
      isIdle: !hasAnyGossipStream(record, peers) && !servesApplication(connection),
    }
  }

  /** Gossipsub may have a stream to a peer that it removed from its list, and list a peer without a stream. */
  #gossipPeers(connections: readonly Connection[]): GossipPeers {
    const peersOf = (some: readonly Connection[]) => new Set(some.map(({ remotePeer }) => remotePeer.toString()))
    const { pubsub, topics = [], streams } = this.#gossip ?? {}
    const listedPeers = new Set(pubsub?.getPeers().map(String))
    const subscribers = new Set(topics.flatMap((topic) => pubsub?.getSubscribers(topic).map(String) ?? []))
    const outbound = peersOf(connections.filter((connection) => hasGossipStream(connection, 'outbound')))
    // All members subscribe to the same mesh topics. Other peers need not subscribe to anything.
    const others = connections.filter(
      (connection) => this.#records.get(connection.id)?.link === undefined && hasGossipStream(connection, 'inbound'),
    )
    return {
      outbound:
        streams === undefined
          ? listedPeers.intersection(outbound)
          : new Set([...listedPeers].filter((peer) => streams.writesTo(peer))),
      inbound: peersOf(others).union(subscribers),
      subscribers,
      closing: peersOf(connections.filter(({ id }) => this.#records.get(id)?.isClosing)),
    }
  }

  #gossipOf(record: ConnectionRecord, peer: string, peers: GossipPeers): GossipState {
    if (this.#gossip === undefined) return 'none'
    const writes = peers.outbound.has(peer)
    if (!speaksGossip(record, peers) || record.isClosing) return writes ? 'open' : 'none'
    // Gossipsub opens no other stream until the one on the closing connection has closed.
    if (!writes && peers.closing.has(peer)) return 'none'
    return this.#lackOf(record, peer, peers) ?? 'open'
  }

  #lackOf(
    { link, isOurs }: ConnectionRecord,
    peer: string,
    { outbound, subscribers }: GossipPeers,
  ): GossipLack | undefined {
    const streams = this.#gossip?.streams
    if (!outbound.has(peer)) {
      return streams?.isOpening(peer) ? 'waiting' : 'missing'
    }
    // The mesh cannot see what another pubsub reads.
    if (streams === undefined) return undefined
    if (link === undefined && isOurs && !streams.hasSubscribed(peer)) return 'no-subscription'
    if (!streams.readsFrom(peer)) return 'no-inbound'
    return link !== undefined && !subscribers.has(peer) ? 'no-subscription' : undefined
  }
}

function newRecord(connection: Connection): ConnectionRecord {
  return {
    connection,
    isIdentified: false,
    observedAddress: undefined,
    speaksGossip: undefined,
    lackingSince: undefined,
    waitedMs: 0,
    agentVersion: '',
    link: undefined,
    isOpeningLink: false,
    isClosing: false,
    isOurs: false,
    isLeftToApp: false,
    isUnresponsive: false,
    earlier: [],
  }
}

/** Who opened the connection, and those to its peer that closed before it. */
function openersOf({ connection, isOurs, earlier }: ConnectionRecord): readonly ConnectionOwner[] {
  if (connection.direction === 'inbound') return ['peer', ...earlier]
  return [isOurs ? 'mesh' : 'application', ...earlier]
}

/** Gossipsub, and the topics to which every member subscribes at its start. */
export interface Gossip {
  readonly pubsub: Pick<PubSub, 'getPeers' | 'getSubscribers'>
  readonly topics: readonly string[]
  /** Its streams, if it is js gossipsub. */
  readonly streams?: Pick<GossipStreams, 'writesTo' | 'readsFrom' | 'hasSubscribed' | 'isOpening'> | undefined
}

/** Peers by gossipsub's streams to and from them, with subscriptions, and with a closing connection. */
interface GossipPeers {
  readonly outbound: ReadonlySet<string>
  readonly inbound: ReadonlySet<string>
  readonly closing: ReadonlySet<string>
  readonly subscribers: ReadonlySet<string>
}

function noGossipPeers(): GossipPeers {
  const none: ReadonlySet<string> = new Set()
  return { outbound: none, inbound: none, closing: none, subscribers: none }
}

/** Whether the peer has gossipsub, by identify or by a stream: it may start gossipsub after identify. */
function speaksGossip(record: ConnectionRecord, peers: GossipPeers): boolean {
  return record.speaksGossip === true || hasAnyGossipStream(record, peers)
}

/** Whether gossipsub writes to the peer, or the peer to us. */
function hasAnyGossipStream({ connection }: ConnectionRecord, { outbound }: GossipPeers): boolean {
  return outbound.has(connection.remotePeer.toString()) || hasGossipStream(connection, 'inbound')
}

/**
 * Gossipsub writes to one outbound stream per peer, on any of its connections. A stream that it has closed stays open
 * for reading until the other side closes its own end.
 */
function hasGossipStream({ streams }: Connection, direction: Stream['direction']): boolean {
  return streams.some(
    (stream) =>
      isGossip(stream) &&
      stream.direction === direction &&
      stream.status === 'open' &&
      (direction === 'inbound' ? stream.remoteWriteStatus : stream.writeStatus) === 'writable',
  )
}

export function isGossip({ protocol }: Pick<Stream, 'protocol'>): boolean {
  return protocol.startsWith(gossipPrefix)
}

/** Protocols of the mesh, of libp2p itself, and of gossipsub, whose stream healing moves to another connection. */
const infrastructure = ['/tracemesh/', '/meshsub/', '/floodsub/', '/ipfs/id/', '/ipfs/ping/', '/libp2p/autonat/']

/** Whether the application uses this connection: libp2p shares one connection among all users of a peer. */
export function servesApplication({ streams }: Pick<Connection, 'streams'>): boolean {
  return streams.some(({ protocol }) => {
    // A DHT in an application is the application’s, also with the protocol of our seeds.
    if (protocol === '' || protocol.startsWith('/tracemesh/kad/')) return protocol !== ''
    return !infrastructure.some((prefix) => protocol.startsWith(prefix))
  })
}

/** Only the dialler opens the link stream, so only it can resume a connection that the mesh left. */
function canResume({ connection, isUnresponsive }: ConnectionRecord): boolean {
  return connection.direction === 'outbound' && !isUnresponsive
}
