import type { Connection, Stream } from '@libp2p/interface'
import type { NetworkEvent } from '../core/events.ts'
import type { Frame } from '../core/frames.ts'
import type { Clock } from '../core/machine.ts'
import type { Owner } from '../core/owner.ts'
import type { NetworkComponents } from './components.ts'
import type { ConnectionRecord, Connections } from './connections.ts'
import { FrameCounters } from './frame-counters.ts'
import { LinkStream } from './link-stream.ts'

export const linkProtocol = '/tracemesh/link/1.0.0'

/** Over QUIC a stream never opens if the other side grants none, and no signal ends that wait. */
const openMs = 5_000

export interface LinkStreamsOptions {
  readonly components: NetworkComponents
  readonly owner: Owner
  readonly clock: Clock
  readonly connections: Connections
  readonly deliver: (event: NetworkEvent) => void
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
    const link: LinkStream = new LinkStream(stream, clock, this.counters, {
      onFrame: (frame) => deliver({ type: 'frame', connection, frame, wall: clock.wall() }),
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
}
