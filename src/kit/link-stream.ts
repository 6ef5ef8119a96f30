import type { Stream, StreamMessageEvent } from '@libp2p/interface'
import type { Frame } from '../core/frames.ts'
import { limits } from '../core/limits.ts'
import type { Clock } from '../core/machine.ts'
import type { FrameCounters } from './frame-counters.ts'
import { encodeFrame, FrameReader, FrameRefusedError } from './wire.ts'

export interface LinkStreamHooks {
  onFrame(frame: Frame): void
  onRefused(reason: string, flooding: boolean): void
  /** The other side does not read: more than `limits.linkOutBytes` wait for it. */
  onOverflow(): void
  onClosed(): void
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
    // Either may have been before there was anybody to hear it; what was buffered is read first.
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

  /** Flushes, closes our side and waits for the other side to close its own. Unbounded: the caller bounds it. */
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

  /** `frames`: sound ones that came before what is refused. */
  #refuse(reason: string, flooding: boolean, frames: readonly Frame[] = []): void {
    this.#hasRefused = true
    this.#counters.refused++
    this.#deliver(frames)
    this.#hooks.onRefused(reason, flooding)
  }

  #deliver(frames: readonly Frame[]): void {
    for (const frame of frames) this.#hooks.onFrame(frame)
  }

  /** The other side has said all: so have we. It may be waiting for that, to know that we have read everything. */
  #closeAfterRemote(): void {
    if (!this.#hasRefused && this.#reader.bufferedBytes > 0) this.#refuse('the stream ended within a frame', false)
    this.#stream.close().catch((error: Error) => this.#stream.abort(error))
  }

  #onStreamClose(): void {
    this.#closed.resolve()
    this.#hooks.onClosed()
  }
}
