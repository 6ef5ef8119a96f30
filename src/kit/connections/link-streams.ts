import type { Connection, Stream, StreamMessageEvent } from '@libp2p/interface'
import type { Proof } from '../../core/credentials/credential.ts'
import { MeshError } from '../../core/errors.ts'
import type { NetworkEvent } from '../../core/events.ts'
import type { Frame, FrameType, Hello } from '../../core/frames.ts'
import { limits } from '../../core/limits.ts'
import type { Clock } from '../../core/machine.ts'
import type { Owner } from '../../core/owner.ts'
import type { NetworkComponents } from '../components.ts'
import { isGossip } from '../gossip/gossip-peers.ts'
import { encodeFrame, FrameReader, FrameRefusedError, frameTypes } from '../wire.ts'
import type { ConnectionRecord, Connections } from './connections.ts'

export const linkProtocol = '/tracemesh/link/1.0.0'

/** Over QUIC a stream never opens if the other side grants none, and no signal ends that wait. */
const openMs = 5_000

export interface LinkStreamsOptions {
  readonly components: NetworkComponents
  readonly owner: Owner
  readonly clock: Clock
  readonly connections: Connections
  readonly deliver: (event: NetworkEvent) => void
  /** Of a closed mesh: what the credentials in a frame prove; undefined for a frame without any. */
  readonly prove?: ((peer: string, frame: Frame, hello: Hello | undefined) => Promise<Proof> | undefined) | undefined
}

/** One link stream per connection, opened by the node that dialled it. */
export class LinkStreams {
  readonly counters = new FrameCounters()
  readonly #options: LinkStreamsOptions

  constructor(options: LinkStreamsOptions) {
    this.#options = options
  }

  async start(): Promise<void> {
    const { registrar } = this.#options.components
    this.#options.owner.adopt('link protocol', () => registrar.unhandle(linkProtocol))
    // This node accepts one at a time; the limit of two lets it refuse the second itself instead of losing it in QUIC.
    await registrar.handle(linkProtocol, (stream, connection) => this.#accept(stream, connection), {
      maxInboundStreams: 2,
      maxOutboundStreams: 2,
    })
  }

  open(id: string): void {
    const record = this.#options.connections.find(id)
    if (record === undefined || record.connection.direction !== 'outbound') return
    if (record.link !== undefined || record.isOpeningLink || record.isClosing || record.isLeftToApp) return
    record.isOpeningLink = true
    void this.#open(record).finally(() => {
      record.isOpeningLink = false
    })
  }

  send(id: string, frame: Frame): void {
    const link = this.#options.connections.find(id)?.link
    if (link === undefined) this.counters.dropped++
    else link.send(frame)
  }

  async #open(record: ConnectionRecord): Promise<void> {
    const { connection } = record
    const { owner, deliver } = this.#options
    const abort = new AbortController()
    const cancel = owner.after(openMs, () => {
      deliver({ type: 'connection.rejected', connection: connection.id, reason: 'silent' })
      abort.abort()
    })
    try {
      const stream = await connection.newStream(linkProtocol, { signal: abort.signal })
      if (owner.closed || connection.status !== 'open') stream.abort(new Error('the connection has ended'))
      else this.#attach(record, stream)
    } catch (error) {
      const isUnsupported = error instanceof Error && error.name === 'UnsupportedProtocolError'
      deliver({ type: isUnsupported ? 'stream.absent' : 'stream.closed', connection: connection.id })
    } finally {
      cancel()
    }
  }

  #accept(stream: Stream, connection: Connection): void {
    if (this.#options.owner.closed || connection.status !== 'open') {
      stream.abort(new Error('this node is stopping'))
      return
    }
    const record = this.#options.connections.getOrCreate(connection)
    if (connection.direction === 'outbound') stream.abort(new Error('the dialler opens the link stream'))
    else if (record.link !== undefined) stream.abort(new Error('there is a link stream already'))
    else {
      this.#resume(record)
      this.#attach(record, stream)
    }
  }

  /** The other end resumes a connection that this mesh left. The ledger learns of it before any frame. */
  #resume(record: ConnectionRecord): void {
    if (!record.isLeftToApp) return
    record.isLeftToApp = false
    this.#options.deliver({ type: 'changed' })
  }

  #attach(record: ConnectionRecord, stream: Stream): void {
    const { clock, deliver } = this.#options
    const connection = record.connection.id
    const deliverFrame = (frame: Frame, proof?: Proof) =>
      deliver({ type: 'frame', connection, frame, wall: clock.wall(), ...(proof && { proof }) })
    const prover = this.#prover(record.connection, deliverFrame)
    const link: LinkStream = new LinkStream(stream, clock, this.counters, {
      onFrame: prover ?? deliverFrame,
      onRefused: (reason, flooding) => {
        deliver({ type: 'frame.refused', connection, reason, isFlooding: flooding })
        link.abort(new Error('a frame was refused'))
      },
      // `send` runs within an effect, which must not deliver events.
      onOverflow: () => queueMicrotask(() => deliver({ type: 'connection.rejected', connection, reason: 'limit' })),
      onClosed: () => {
        if (record.link !== link) return
        record.link = undefined
        deliver({ type: 'stream.closed', connection })
      },
    })
    record.link = link
    deliver({ type: 'stream.open', connection })
  }

  /** Delivers frames in their order, those with credentials together with what these prove. */
  #prover(
    { remotePeer }: Connection,
    deliverFrame: (frame: Frame, proof?: Proof) => void,
  ): ((frame: Frame) => void) | undefined {
    const { prove } = this.#options
    if (prove === undefined) return undefined
    let hello: Hello | undefined
    let pending: Promise<void> | undefined
    return (frame) => {
      const proof = prove(remotePeer.toString(), frame, hello)
      if (frame.type === 'hello') hello ??= frame.hello
      if (proof === undefined && pending === undefined) return deliverFrame(frame)
      const before = pending
      const delivered = Promise.all([proof, before]).then(([proved]) => {
        if (pending === delivered) pending = undefined
        deliverFrame(frame, proved)
      })
      pending = delivered
    }
  }
}

interface LinkStreamHooks {
  onFrame(frame: Frame): void
  onRefused(reason: string, flooding: boolean): void
  /** The other side does not read: the write buffer exceeds `limits.linkOutBytes`. */
  onOverflow(): void
  onClosed(): void
}

interface FrameCount {
  in: number
  out: number
  bytesIn: number
  bytesOut: number
}

/** Frames on the link streams of this node since its start, by type. */
export class FrameCounters {
  readonly byType = Object.fromEntries(
    frameTypes.map((type) => [type, { in: 0, out: 0, bytesIn: 0, bytesOut: 0 }]),
  ) as Record<FrameType, FrameCount>
  /** Chunks with a refused frame: each ended its stream. */
  refused = 0
  /** Frames not sent for lack of a stream. */
  dropped = 0

  countSent(type: FrameType, bytes: number): void {
    const count = this.byType[type]
    count.out++
    count.bytesOut += bytes
  }

  countReceived(type: FrameType, bytes: number): void {
    const count = this.byType[type]
    count.in++
    count.bytesIn += bytes
  }
}

/**
 * The stream that carries the frames of one connection. It uses only events and `send`: async iterators would be most
 * of the cost of a frame.
 */
export class LinkStream {
  readonly #stream: Stream
  readonly #clock: Clock
  readonly #counters: FrameCounters
  readonly #hooks: LinkStreamHooks
  readonly #reader: FrameReader
  readonly #closed = Promise.withResolvers<void>()
  #hasRefused = false
  #hasOverflowed = false

  constructor(stream: Stream, clock: Clock, counters: FrameCounters, hooks: LinkStreamHooks) {
    this.#stream = stream
    this.#clock = clock
    this.#counters = counters
    this.#hooks = hooks
    this.#reader = new FrameReader((type, bytes) => counters.countReceived(type, bytes))
    stream.addEventListener('close', () => this.#onStreamClose(), { once: true })
    stream.addEventListener('remoteCloseWrite', () => this.#closeAfterRemote(), { once: true })
    stream.addEventListener('message', (event) => this.#read(event))
    // Both events may have fired before these listeners; the microtask lets buffered data be read first.
    if (stream.status !== 'open') queueMicrotask(() => this.#onStreamClose())
    else if (stream.remoteWriteStatus === 'closed') queueMicrotask(() => this.#closeAfterRemote())
  }

  send(frame: Frame): void {
    if (this.#stream.writeStatus !== 'writable') {
      this.#counters.dropped++
      return
    }
    try {
      const bytes = encodeFrame(frame)
      this.#stream.send(bytes)
      this.#counters.countSent(frame.type, bytes.length)
    } catch {
      this.#counters.dropped++
    }
    if (this.#hasOverflowed || this.#stream.writeBufferLength <= limits.linkOutBytes) return
    this.#hasOverflowed = true
    this.#hooks.onOverflow()
  }

  /** Flushes, closes our side and waits for the other side to close its own. The caller bounds the wait. */
  async end(): Promise<void> {
    await this.#stream.close()
    await this.#closed.promise
  }

  abort(error: Error): void {
    this.#stream.abort(error)
  }

  #read(event: StreamMessageEvent): void {
    if (this.#hasRefused) return
    const chunk = event.data instanceof Uint8Array ? event.data : event.data.subarray()
    try {
      this.#deliver(this.#reader.push(chunk, this.#clock.now()))
    } catch (error) {
      if (!(error instanceof FrameRefusedError)) throw error
      this.#refuse(error.detail.reason, error.isFlood, error.frames)
    }
  }

  /** `frames`: valid frames ahead of the refused one. */
  #refuse(reason: string, flooding: boolean, frames: readonly Frame[] = []): void {
    this.#hasRefused = true
    this.#counters.refused++
    this.#deliver(frames)
    this.#hooks.onRefused(reason, flooding)
  }

  #deliver(frames: readonly Frame[]): void {
    for (const frame of frames) this.#hooks.onFrame(frame)
  }

  /** Closes our side after the other's: it may wait for that as a sign that we have read everything. */
  #closeAfterRemote(): void {
    if (!this.#hasRefused && this.#reader.bufferedBytes > 0) this.#refuse('the stream ended within a frame', false)
    this.#stream.close().catch((error: Error) => this.#stream.abort(error))
  }

  #onStreamClose(): void {
    this.#closed.resolve()
    this.#hooks.onClosed()
  }
}

/** After this it aborts the connection; libp2p's own close may wait forever for a peer that does not read. */
export const closeLimitMs = 1_000
/** Part of that limit for the other side to read our data and close its side of the link stream. */
const flushMs = 500

/**
 * Closes a connection after the data of its link stream has arrived. QUIC's close discards data in flight, so this
 * closes our end of the stream first, and the other side answers by closing its own.
 */
export function closeGracefully(record: ConnectionRecord, owner: Owner, clock: Clock): void {
  if (record.isClosing) return
  record.isClosing = true
  const { connection } = record
  // A timer of the clock, not of the owner, which would cancel it before it waits for the resource below.
  const cancel = clock.after(closeLimitMs, () =>
    connection.abort(new MeshError('MESH_STEP_TIMEOUT', { step: 'closing a connection', ms: closeLimitMs })),
  )
  endGossip(record)
  const closing = (record.link === undefined ? Promise.resolve() : flush(record.link, clock))
    .then(() => connection.close({ signal: AbortSignal.timeout(closeLimitMs - flushMs) }))
    .catch((error: Error) => connection.abort(error))
    .finally(cancel)
  // The owner adopts it, so that a stop waits for goodbyes in flight.
  const release = owner.adopt(`closing ${connection.id}`, () => closing, 2 * closeLimitMs)
  void closing.finally(() => release().catch(() => {}))
}

/**
 * When a stream is reset, gossipsub removes the peer with all its topics, even if other connections exist. When it
 * closes in order, gossipsub loses only that stream.
 */
function endGossip({ connection }: ConnectionRecord): void {
  for (const stream of connection.streams) {
    if (stream.direction === 'outbound' && isGossip(stream)) stream.close().catch(() => {})
  }
}

/** Ends only the link stream, after its data has arrived; aborts it if the other side does not end it too. */
export function endLink(link: LinkStream, owner: Owner, clock: Clock): void {
  const closing = flush(link, clock).then(() => link.abort(new Error('the other side did not end the link stream')))
  // The owner adopts it, so that a stop waits for goodbyes in flight.
  const release = owner.adopt('ending a link stream', () => closing, 2 * flushMs)
  void closing.finally(() => release().catch(() => {}))
}

/** Closes our side and waits for the other side to close its own, for `flushMs` at most. */
async function flush(link: LinkStream, clock: Clock): Promise<void> {
  const timeout = Promise.withResolvers<void>()
  const cancel = clock.after(flushMs, timeout.resolve)
  await Promise.race([link.end().catch(() => {}), timeout.promise])
  cancel()
}
