import type { Connection, PeerId, Stream } from '@libp2p/interface'
import type { Clock } from '../core/machine.ts'
import type { Owner } from '../core/owner.ts'
import { type GossipInternals, isOutboundStream, type OutboundStream, type RawMessage } from './gossip-internals.ts'
import { isOneMessage, splitRpc } from './rpc-split.ts'

/** A message that was not sent to one neighbour. */
export interface UnsentMessage {
  readonly peer: string
  /** It is larger than the neighbour takes, or too much waits already for a neighbour that reads slowly. */
  readonly reason: 'size' | 'backlog'
  readonly topic: string
  readonly bytes: number
  readonly limit: number
}

export interface GossipStreamsOptions {
  readonly gossip: GossipInternals
  readonly owner: Owner
  readonly clock: Clock
  /** Bytes of one RPC that this peer takes. */
  readonly limitOf: (peer: string) => number
  /** RPCs of at most this size are sent without asking `limitOf`. */
  readonly smallestLimit: number
  readonly onUnsent: (message: UnsentMessage) => void
  /** A stream of gossipsub's was opened or has ended. */
  readonly onChange: () => void
}

/** Protocols of gossipsub, all versions. */
export const gossipPrefix = '/meshsub/'
/** Kept free in a stream's write buffer for RPCs without messages: subscriptions, GRAFT, PRUNE. */
const reserveBytes = 65_536
/** What an RPC with one message adds to the message's data, at most: sender, key, signature, topic. */
const envelopeBytes = 1_024
/** A message stays in gossipsub's cache for some heartbeats, which are a second unless set otherwise. */
const cachedMs = 60_000
/** A connection to which a stream has been opening for longer keeps all others waiting for nothing. */
const stuckMs = 12_000
/** A stream is handed to gossipsub right after its negotiation; one that is unread for longer will not be read. */
const unreadMs = 1_000

/**
 * Stands between gossipsub and its streams. Every RPC that gossipsub sends is measured: one that is larger than the
 * neighbour takes would end the stream there with neither side noticing, so it is split, and a message that fits into
 * no RPC is not sent to that neighbour. Messages go together only as far as the least that any peer takes. It also says which streams gossipsub really writes to and reads from.
 */
export class GossipStreams {
  readonly #options: GossipStreamsOptions
  readonly #gossip: GossipInternals
  #opening: { readonly peer: string; readonly since: number } | undefined
  /** The largest message that may still be in gossipsub's cache. */
  #largestCached = { bytes: 0, until: -Infinity }

  constructor(options: GossipStreamsOptions) {
    this.#options = options
    this.#gossip = options.gossip
  }

  start(): void {
    const gossip = this.#gossip
    const restores = [
      replace(gossip.streamsOutbound, 'set', (set) => (peer, stream) => {
        this.#guardStream(peer, stream)
        return set(peer, stream)
      }),
      replace(gossip.streamsInbound, 'set', (set) => (peer, stream) => {
        this.#watchStream(stream.rawStream)
        return set(peer, stream)
      }),
      replace(gossip, 'createOutboundStream', (create) => async (peer, connection) => {
        this.#opening = { peer: peer.toString(), since: this.#options.clock.now() }
        try {
          await create(peer, connection)
        } finally {
          this.#opening = undefined
        }
      }),
      replace(gossip.mcache, 'put', (put) => (id, message, validated) => {
        this.#recordSize(message)
        return put(id, message, validated)
      }),
      replace(gossip, 'pushGossip', (push) => (peer, ihave) => {
        const messageIDs = this.#idsWithinLimit(peer, ihave.messageIDs ?? [])
        if (messageIDs.length > 0) push(peer, { ...ihave, messageIDs })
      }),
    ]
    for (const [peer, stream] of gossip.streamsOutbound) this.#guardStream(peer, stream)
    for (const { rawStream } of gossip.streamsInbound.values()) this.#watchStream(rawStream)
    this.#options.owner.adopt('gossip streams', () => {
      for (const restore of restores) restore()
    })
  }

  /** Gossipsub has a stream that it writes to this peer. */
  writesTo(peer: string): boolean {
    const raw = this.#gossip.streamsOutbound.get(peer)?.rawStream
    return this.#gossip.peers.has(peer) && raw?.status === 'open' && raw.writeStatus === 'writable'
  }

  /** Gossipsub reads a stream from this peer, and the peer has not ended it. */
  readsFrom(peer: string): boolean {
    const raw = this.#gossip.streamsInbound.get(peer)?.rawStream
    return this.#gossip.peers.has(peer) && raw?.status === 'open' && raw.remoteWriteStatus === 'writable'
  }

  /** Gossipsub opens its streams one after the other, and is at it. */
  get isOpening(): boolean {
    return this.#opening !== undefined || this.#gossip.outboundInflightQueue.readableLength > 0
  }

  /** The peer whose stream does not open, for which all others wait. */
  get stuckPeer(): string | undefined {
    const { clock } = this.#options
    return this.#opening && clock.now() - this.#opening.since > stuckMs ? this.#opening.peer : undefined
  }

  /** Resets inbound streams that gossipsub does not read: the peer goes on writing to them until it learns of it. */
  resetUnread(connections: readonly Connection[]): void {
    // The timeline of a stream is in Unix milliseconds.
    const openedBefore = this.#options.clock.wall() - unreadMs
    for (const connection of connections) {
      const inbound = this.#gossip.streamsInbound.get(connection.remotePeer.toString())?.rawStream
      for (const stream of inboundOf(connection)) {
        if (stream !== inbound && stream.timeline.open < openedBefore) stream.abort(new Error('nobody reads this'))
      }
    }
  }

  /** Ends all streams of both directions, so that each side has to open its own again. */
  reset(peer: PeerId, connections: readonly Connection[]): void {
    const outbound = this.#gossip.streamsOutbound.get(peer.toString())?.rawStream
    for (const stream of connections.flatMap(inboundOf)) stream.abort(new Error('gossip is begun anew'))
    this.#gossip.removePeer(peer)
    if (outbound !== undefined) endStream(outbound)
  }

  #guardStream(peer: string, stream: OutboundStream): void {
    if (!isOutboundStream(stream)) return
    const { rawStream } = stream
    const push = stream.push.bind(stream)
    const pushPrefixed = stream.pushPrefixed.bind(stream)
    const isUnguarded = (bytes: number) => this.#options.owner.closed || this.#isSmall(rawStream, bytes)
    stream.push = (rpc) => {
      if (isUnguarded(rpc.length) || this.#canSendWhole(peer, rawStream, rpc)) push(rpc)
      else this.#sendSplit(peer, rawStream, rpc, push)
    }
    stream.pushPrefixed = (prefixed) => {
      if (isUnguarded(prefixed.byteLength)) return pushPrefixed(prefixed)
      const rpc = withoutLength(prefixed.subarray())
      if (this.#canSendWhole(peer, rawStream, rpc)) pushPrefixed(prefixed)
      else this.#sendSplit(peer, rawStream, rpc, push)
    }
    this.#watchStream(rawStream)
  }

  #isSmall(stream: Stream, bytes: number): boolean {
    return bytes <= this.#options.smallestLimit && bytes <= bufferRoom(stream) - reserveBytes
  }

  /** One large message that this peer takes is sent as it is. */
  #canSendWhole(peer: string, stream: Stream, rpc: Uint8Array): boolean {
    const fits = rpc.length <= bufferRoom(stream) - reserveBytes && rpc.length <= this.#options.limitOf(peer)
    return fits && isOneMessage(rpc)
  }

  /** Throws when nothing of it was sent: gossipsub then counts the peer as not reached, and keeps its control messages. */
  #sendSplit(peer: string, stream: Stream, rpc: Uint8Array, push: (part: Uint8Array) => void): void {
    const { limitOf, smallestLimit, onUnsent } = this.#options
    const limit = Math.min(limitOf(peer), (stream.maxWriteBufferLength ?? Infinity) - reserveBytes)
    const { parts, oversized } = splitRpc(rpc, { limit, partBytes: Math.min(smallestLimit, limit) })
    for (const { topic, bytes } of oversized) onUnsent({ peer, reason: 'size', topic, bytes, limit })
    let sent = 0
    for (const { bytes, topics } of parts) {
      const reserve = topics.length > 0 ? reserveBytes : 0
      if (bytes.length <= bufferRoom(stream) - reserve) {
        push(bytes)
        sent++
      } else {
        const backlog = { bytes: stream.writeBufferLength, limit: stream.maxWriteBufferLength ?? 0 }
        for (const topic of topics) onUnsent({ peer, reason: 'backlog', topic, ...backlog })
      }
    }
    if (sent === 0) throw new Error(`nothing of this RPC of ${rpc.length} bytes could be sent to ${peer}`)
  }

  #recordSize({ data }: RawMessage): void {
    const bytes = (data?.length ?? 0) + envelopeBytes
    if (bytes <= this.#options.smallestLimit) return
    const now = this.#options.clock.now()
    const before = now < this.#largestCached.until ? this.#largestCached.bytes : 0
    this.#largestCached = { bytes: Math.max(bytes, before), until: now + cachedMs }
  }

  /** Ids of messages that this peer takes: it would ask for others in vain, and hold that against this node. */
  #idsWithinLimit(peer: string, ids: readonly Uint8Array[]): readonly Uint8Array[] {
    const { clock, limitOf } = this.#options
    const limit = limitOf(peer)
    if (clock.now() >= this.#largestCached.until || this.#largestCached.bytes <= limit) return ids
    const { msgs, msgIdToStrFn } = this.#gossip.mcache
    const bytesOf = (id: Uint8Array) => msgs.get(msgIdToStrFn(id))?.message.data?.length ?? 0
    return ids.filter((id) => bytesOf(id) + envelopeBytes <= limit)
  }

  /** Asks for a look when a stream has come or ends. */
  #watchStream(stream: Stream): void {
    const notify = () => {
      if (!this.#options.owner.closed) this.#options.onChange()
    }
    stream.addEventListener('close', notify, { once: true })
    stream.addEventListener('remoteCloseWrite', notify, { once: true })
    notify()
  }
}

/** Puts a function in the place of another; the result puts the other back. */
function replace<O extends object, K extends keyof O & string>(
  target: O,
  name: K,
  wrap: (original: O[K]) => O[K],
): () => void {
  const original = target[name]
  const isOwn = Object.hasOwn(target, name)
  const replacement = wrap((original as CallableFunction).bind(target) as O[K])
  Object.assign(target, { [name]: replacement })
  return () => {
    if (target[name] !== replacement) return
    if (isOwn) Object.assign(target, { [name]: original })
    else Reflect.deleteProperty(target, name)
  }
}

/** Bytes that the stream's write buffer takes before the stream is ended. */
function bufferRoom(stream: Stream): number {
  return (stream.maxWriteBufferLength ?? Infinity) - stream.writeBufferLength
}

function withoutLength(prefixed: Uint8Array): Uint8Array {
  return prefixed.subarray(prefixed.findIndex((byte) => byte < 0x80) + 1)
}

function inboundOf({ streams }: Connection): Stream[] {
  return streams.filter(({ protocol, direction }) => direction === 'inbound' && protocol.startsWith(gossipPrefix))
}

/** What waits for a peer that does not read is thrown away. */
function endStream(stream: Stream): void {
  if (stream.status !== 'open') return
  if (stream.writeBufferLength > 0) stream.abort(new Error('gossip is begun anew'))
  else stream.close().catch((error: Error) => stream.abort(error))
}
