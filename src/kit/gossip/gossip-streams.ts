import type { Connection, PeerId, Stream } from '@libp2p/interface'
import type { NetworkEvent } from '../../core/events.ts'
import type { GossipLack } from '../../core/gossip-repair.ts'
import type { Clock } from '../../core/machine.ts'
import type { Owner } from '../../core/owner.ts'
import { replaceMethod } from '../replace-method.ts'
import { type GossipInternals, isOutboundStream, type OutboundStream, type RawMessage } from './gossip-internals.ts'
import { isOneMessage, splitRpc } from './rpc-size.ts'

/** A message that was not sent to one neighbour. */
export interface UnsentMessage {
  readonly peer: string
  /** It exceeds the neighbour's RPC limit, or the write buffer to a slow neighbour is full. */
  readonly reason: 'size' | 'backlog'
  readonly topic: string
  readonly bytes: number
  readonly limit: number
}

type Create = GossipInternals['createOutboundStream']

interface GossipStreamsOptions {
  readonly gossip: GossipInternals
  readonly owner: Owner
  readonly clock: Clock
  /** Bytes of one RPC that this peer accepts. */
  readonly limitOf: (peer: string) => number
  /** RPCs of at most this size need no `limitOf`. */
  readonly smallestLimit: number
  readonly onUnsent: (message: UnsentMessage) => void
  /** A gossipsub stream opened or ended. */
  readonly onChange: () => void
  /** A stream on this connection has been opening for `ms`. */
  readonly onSlow: (connection: string, ms: number) => void
}

/** Protocol prefix of all gossipsub versions. */
export const gossipPrefix = '/meshsub/'
/** Room in a stream's write buffer reserved for RPCs without messages: subscriptions, GRAFT, PRUNE. */
const reserveBytes = 65_536
/** Most bytes that an RPC with one message adds to its data: sender, key, signature, topic. */
const envelopeBytes = 1_024
/** Gossipsub caches a message for some heartbeats, of a second each by default. */
const cachedMs = 60_000
/** Gossipsub opens its streams one by one; after this it goes on to the next while one still opens. */
const turnMs = 250
/** A stream that takes longer to open is a reason to check the connection. */
const slowMs = 3_000
/** libp2p passes a stream to gossipsub right after its negotiation; an older unread stream stays unread. */
const unreadMs = 1_000

/**
 * Wraps gossipsub's streams. It measures every RPC that gossipsub sends: one above the neighbour's limit would end the
 * stream there, unnoticed by either side. So it splits such RPCs, and drops a message that fits no RPC for that
 * neighbour. Parts with several messages stay below the smallest limit of any peer. It also tells which streams
 * gossipsub really writes to and reads from.
 */
export class GossipStreams {
  readonly #options: GossipStreamsOptions
  readonly #gossip: GossipInternals
  /** Streams that are opening: at most one per connection. */
  #opening: readonly { readonly peer: string; readonly connection: string }[] = []
  /** The largest message that may still be in gossipsub's cache. */
  #largestCached = { bytes: 0, until: -Infinity }

  constructor(options: GossipStreamsOptions) {
    this.#options = options
    this.#gossip = options.gossip
  }

  start(): void {
    const gossip = this.#gossip
    const restores = [
      replaceMethod(gossip.streamsOutbound, 'set', (set) => (peer, stream) => {
        this.#guardStream(peer, stream)
        return set(peer, stream)
      }),
      replaceMethod(gossip.streamsInbound, 'set', (set) => (peer, stream) => {
        this.#watchStream(stream.rawStream)
        return set(peer, stream)
      }),
      replaceMethod(
        gossip,
        'createOutboundStream',
        (create) => (peer, connection) => this.#openStream(create, peer, connection),
      ),
      replaceMethod(
        gossip,
        'pipePeerReadStream',
        (read) => (peer, source) => read(peer, this.#untilReplaced(peer, source)),
      ),
      replaceMethod(gossip.mcache, 'put', (put) => (id, message, validated) => {
        this.#recordSize(message)
        return put(id, message, validated)
      }),
      replaceMethod(gossip, 'pushGossip', (push) => (peer, ihave) => {
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

  /** Whether gossipsub has an outbound stream to this peer. */
  writesTo(peer: string): boolean {
    const raw = this.#gossip.streamsOutbound.get(peer)?.rawStream
    return this.#gossip.peers.has(peer) && raw?.status === 'open' && raw.writeStatus === 'writable'
  }

  /** Whether gossipsub reads an inbound stream that this peer has not ended. */
  readsFrom(peer: string): boolean {
    const raw = this.#gossip.streamsInbound.get(peer)?.rawStream
    return this.#gossip.peers.has(peer) && raw?.status === 'open' && raw.remoteWriteStatus === 'writable'
  }

  /** Whether this peer subscribes to any topic. */
  hasSubscribed(peer: string): boolean {
    return this.#gossip.topics.values().some((subscribers) => subscribers.has(peer))
  }

  /** Whether gossipsub opens its stream to this peer, or has yet to. */
  isOpening(peer: string): boolean {
    return this.#gossip.outboundInflightQueue.readableLength > 0 || this.#opening.some((one) => one.peer === peer)
  }

  /**
   * Ends the streams to a peer that block a heal: those that gossipsub does not read, or all of them if the other side has
   * to open its own, which it does when it sees a new stream. `connections`: all those to the peer.
   */
  clearForHeal(lack: GossipLack, peer: PeerId, connections: readonly Connection[]): void {
    if (lack === 'no-inbound' || lack === 'no-subscription') this.#reset(peer, connections)
    else this.#resetUnread(connections)
  }

  /**
   * Lets gossipsub go on to the next stream after a while: over QUIC one that the other side does not grant never opens,
   * and nothing ends the wait.
   */
  async #openStream(create: Create, peer: PeerId, connection: Connection): Promise<void> {
    const { owner, onSlow } = this.#options
    if (this.#opening.some((one) => one.connection === connection.id)) return
    const opening = { peer: peer.toString(), connection: connection.id }
    this.#opening = [...this.#opening, opening]
    const turn = Promise.withResolvers<void>()
    const cancels = owner.closed
      ? []
      : [owner.after(turnMs, turn.resolve), owner.after(slowMs, () => onSlow(connection.id, slowMs))]
    const opened = create(peer, connection).finally(() => {
      this.#opening = this.#opening.filter((one) => one !== opening)
      for (const cancel of cancels) cancel()
    })
    await Promise.race([opened, turn.promise])
  }

  /** Resets inbound streams that gossipsub does not read: the peer would go on writing to them. */
  #resetUnread(connections: readonly Connection[]): void {
    // The timeline of a stream is in Unix milliseconds.
    const openedBefore = this.#options.clock.wall() - unreadMs
    for (const connection of connections) {
      const inbound = this.#gossip.streamsInbound.get(connection.remotePeer.toString())?.rawStream
      for (const stream of inboundOf(connection)) {
        if (stream !== inbound && stream.timeline.open < openedBefore)
          stream.abort(new Error('gossipsub does not read this stream'))
      }
    }
  }

  /** Ends all gossip streams in both directions, so that each side opens its own again. */
  #reset(peer: PeerId, connections: readonly Connection[]): void {
    const outbound = this.#gossip.streamsOutbound.get(peer.toString())?.rawStream
    for (const stream of connections.flatMap(inboundOf)) stream.abort(new Error('gossip streams are reset'))
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

  /** Whether the RPC is one large message within the peer's limit, which needs no split. */
  #canSendWhole(peer: string, stream: Stream, rpc: Uint8Array): boolean {
    const fits = rpc.length <= bufferRoom(stream) - reserveBytes && rpc.length <= this.#options.limitOf(peer)
    return fits && isOneMessage(rpc)
  }

  /** Throws if it sent no part: gossipsub then counts the peer as not reached, and keeps its control messages. */
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
    if (sent === 0) throw new Error(`no part of an RPC of ${rpc.length} bytes could be sent to ${peer}`)
  }

  #recordSize({ data }: RawMessage): void {
    const bytes = (data?.length ?? 0) + envelopeBytes
    if (bytes <= this.#options.smallestLimit) return
    const now = this.#options.clock.now()
    const before = now < this.#largestCached.until ? this.#largestCached.bytes : 0
    this.#largestCached = { bytes: Math.max(bytes, before), until: now + cachedMs }
  }

  /** Ids of messages within the peer's limit: its IWANT for others would fail and lower this node's score. */
  #idsWithinLimit(peer: string, ids: readonly Uint8Array[]): readonly Uint8Array[] {
    const { clock, limitOf } = this.#options
    const limit = limitOf(peer)
    if (clock.now() >= this.#largestCached.until || this.#largestCached.bytes <= limit) return ids
    const { msgs, msgIdToStrFn } = this.#gossip.mcache
    const bytesOf = (id: Uint8Array) => msgs.get(msgIdToStrFn(id))?.message.data?.length ?? 0
    return ids.filter((id) => bytesOf(id) + envelopeBytes <= limit)
  }

  /**
   * An inbound stream without its error, once another has replaced it. After an error gossipsub closes the peer's newest
   * streams, too, and forgets its subscriptions, which rust does not send again: a peer that was killed and has dialled
   * again would get nothing more from the moment when its old connection times out.
   */
  async *#untilReplaced(peer: PeerId, source: AsyncIterable<unknown>): AsyncIterable<unknown> {
    const { streamsInbound } = this.#gossip
    const stream = streamsInbound.get(peer.toString())
    try {
      yield* source
    } catch (error) {
      const current = streamsInbound.get(peer.toString())
      if (current === undefined || current === stream) throw error
    }
  }

  /** Notifies when a stream opens or ends. */
  #watchStream(stream: Stream): void {
    const notify = () => {
      if (!this.#options.owner.closed) this.#options.onChange()
    }
    stream.addEventListener('close', notify, { once: true })
    stream.addEventListener('remoteCloseWrite', notify, { once: true })
    notify()
  }
}

/** Bytes left in the stream's write buffer; libp2p ends a stream that exceeds it. */
function bufferRoom(stream: Stream): number {
  return (stream.maxWriteBufferLength ?? Infinity) - stream.writeBufferLength
}

function withoutLength(prefixed: Uint8Array): Uint8Array {
  return prefixed.subarray(prefixed.findIndex((byte) => byte < 0x80) + 1)
}

function inboundOf({ streams }: Connection): Stream[] {
  return streams.filter(({ protocol, direction }) => direction === 'inbound' && protocol.startsWith(gossipPrefix))
}

/** Discards buffered data for a peer that does not read. */
function endStream(stream: Stream): void {
  if (stream.status !== 'open') return
  if (stream.writeBufferLength > 0) stream.abort(new Error('gossip streams are reset'))
  else stream.close().catch((error: Error) => stream.abort(error))
}

const reportMs = 1_000

/** Reports unsent messages at most once a second: one large message may exceed the limit of 300 neighbours. */
export function unsentReporter(owner: Owner, deliver: (event: NetworkEvent) => void): (message: UnsentMessage) => void {
  let last: UnsentMessage | undefined
  let count = 0
  let isPaused = false
  const report = () => {
    if (last === undefined || owner.closed) return
    const event = { type: 'gossip.unsent', ...last, count } as const
    last = undefined
    count = 0
    isPaused = true
    owner.after(reportMs, () => {
      isPaused = false
      report()
    })
    // Gossipsub is still sending at this point.
    queueMicrotask(() => deliver(event))
  }
  return (message) => {
    last = message
    count++
    if (!isPaused) report()
  }
}
