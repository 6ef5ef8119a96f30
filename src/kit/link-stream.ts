import type { Stream, StreamMessageEvent } from '@libp2p/interface'
import type { Frame } from '../core/frames.ts'
import { limits } from '../core/limits.ts'
import type { Clock } from '../core/machine.ts'
import type { FrameCounters } from './frame-counters.ts'
import { encodeFrame, FrameReader, FrameRefused } from './wire.ts'

export interface LinkStreamHooks {
  frame(frame: Frame): void
  refused(reason: string, flooding: boolean): void
  /** The other side does not read: more than `limits.linkOutBytes` wait for it. */
  stuck(): void
  closed(): void
}

/**
 * The stream that carries the frames of one connection, on events and `send` alone: async iterators would be the
 * greater part of what a frame costs.
 */
export class LinkStream {
  readonly #stream: Stream
  readonly #clock: Clock
  readonly #counters: FrameCounters
  readonly #hooks: LinkStreamHooks
  readonly #reader: FrameReader
  readonly #closed = Promise.withResolvers<void>()
  #refusing = false
  #stuck = false

  constructor(stream: Stream, clock: Clock, counters: FrameCounters, hooks: LinkStreamHooks) {
    this.#stream = stream
    this.#clock = clock
    this.#counters = counters
    this.#hooks = hooks
    this.#reader = new FrameReader((type, bytes) => counters.received(type, bytes))
    stream.addEventListener('close', () => this.#ended(), { once: true })
    stream.addEventListener('remoteCloseWrite', () => this.#follow(), { once: true })
    stream.addEventListener('message', (event) => this.#read(event))
    // Either may have been before there was anybody to hear it; what was buffered is read first.
    if (stream.status !== 'open') queueMicrotask(() => this.#ended())
    else if (stream.remoteWriteStatus === 'closed') queueMicrotask(() => this.#follow())
  }

  send(frame: Frame): void {
    if (this.#stream.writeStatus !== 'writable') {
      this.#counters.dropped++
      return
    }
    try {
      const bytes = encodeFrame(frame)
      this.#stream.send(bytes)
      this.#counters.sent(frame.type, bytes.length)
    } catch {
      this.#counters.dropped++
    }
    if (this.#stuck || this.#stream.writeBufferLength <= limits.linkOutBytes) return
    this.#stuck = true
    this.#hooks.stuck()
  }

  /** Flushes, closes our side and waits for the other side to close its own. Unbounded: the caller bounds it. */
  async end(): Promise<void> {
    await this.#stream.close()
    await this.#closed.promise
  }

  abort(error: Error): void {
    this.#stream.abort(error)
  }

  #read(event: StreamMessageEvent): void {
    if (this.#refusing) return
    const chunk = event.data instanceof Uint8Array ? event.data : event.data.subarray()
    try {
      this.#deliver(this.#reader.push(chunk, this.#clock.now()))
    } catch (error) {
      if (!(error instanceof FrameRefused)) throw error
      this.#refuse(error.detail.reason, error.flooding, error.frames)
    }
  }

  /** `frames`: sound ones that came before what is refused. */
  #refuse(reason: string, flooding: boolean, frames: readonly Frame[] = []): void {
    this.#refusing = true
    this.#counters.refused++
    this.#deliver(frames)
    this.#hooks.refused(reason, flooding)
  }

  #deliver(frames: readonly Frame[]): void {
    for (const frame of frames) this.#hooks.frame(frame)
  }

  /** The other side has said all: so have we. It may be waiting for that, to know that we have read everything. */
  #follow(): void {
    if (!this.#refusing && this.#reader.heldBytes > 0) this.#refuse('the stream ended within a frame', false)
    this.#stream.close().catch((error: Error) => this.#stream.abort(error))
  }

  #ended(): void {
    this.#closed.resolve()
    this.#hooks.closed()
  }
}
