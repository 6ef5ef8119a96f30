import type { Connection, Stream } from '@libp2p/interface'
import type { PubSub } from '../components.ts'
import { type GossipStreams, gossipPrefix } from './gossip-streams.ts'

/** Gossipsub, and the topics to which every member subscribes at its start. */
export interface Gossip {
  readonly pubsub: Pick<PubSub, 'getPeers' | 'getSubscribers'>
  readonly topics: readonly string[]
  /** Its streams, if it is js gossipsub. */
  readonly streams?: Pick<GossipStreams, 'writesTo' | 'readsFrom' | 'hasSubscribed' | 'isOpening'> | undefined
}

/** Peers by gossipsub's streams to and from them, with subscriptions, and with a closing connection. */
export interface GossipPeers {
  readonly outbound: ReadonlySet<string>
  readonly inbound: ReadonlySet<string>
  readonly closing: ReadonlySet<string>
  readonly subscribers: ReadonlySet<string>
}

/** What the mesh knows of a connection, and gossipsub does not. */
interface MeshUse {
  /** Its link stream, once it is open. */
  readonly link: unknown
  readonly isClosing: boolean
}

/** Gossipsub may have a stream to a peer that it removed from its list, and list a peer without a stream. */
export function readGossipPeers(
  gossip: Gossip | undefined,
  connections: readonly Connection[],
  useOf: (connection: string) => MeshUse | undefined,
): GossipPeers {
  if (gossip === undefined) return noGossipPeers()
  const { pubsub, topics, streams } = gossip
  const listed = pubsub.getPeers().map(String)
  const subscribers = new Set(topics.flatMap((topic) => pubsub.getSubscribers(topic).map(String)))
  const [inbound, closing, withOutbound] = [new Set(subscribers), new Set<string>(), new Set<string>()]
  for (const connection of connections) {
    const peer = connection.remotePeer.toString()
    const use = useOf(connection.id)
    // All members subscribe to the same mesh topics. Other peers need not subscribe to anything.
    if (use?.link === undefined && !inbound.has(peer) && hasGossipStream(connection, 'inbound')) inbound.add(peer)
    if (use?.isClosing) closing.add(peer)
    if (streams === undefined && hasGossipStream(connection, 'outbound')) withOutbound.add(peer)
  }
  const writesTo = (peer: string) => (streams === undefined ? withOutbound.has(peer) : streams.writesTo(peer))
  return { outbound: new Set(listed.filter(writesTo)), inbound, closing, subscribers }
}

export function noGossipPeers(): GossipPeers {
  const none: ReadonlySet<string> = new Set()
  return { outbound: none, inbound: none, closing: none, subscribers: none }
}

/** Whether gossipsub writes to the peer, or the peer to us. */
export function hasAnyGossipStream(connection: Connection, { outbound }: GossipPeers): boolean {
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
