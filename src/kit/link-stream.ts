import type { Stream, StreamMessageEvent } from '@libp2p/interface'
import type { Frame } from '../core/frames.ts'
import { limits } from '../core/limits.ts'
import type { Clock } from '../core/machine.ts'
import type { FrameCounters } from './frame-counters.ts'
import { encodeFrame, FrameReader, FrameRefusedError } from './wire.ts'

export interface LinkStreamHooks {
  onFrame(frame: Frame): void
  onRefused(reason: string, flooding: boolean): void
  /** The other side does not read: the write buffer exceeds `limits.linkOutBytes`. */
  onOverflow(): void
  onClosed(): void
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
