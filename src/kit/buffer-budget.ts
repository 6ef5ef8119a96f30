import type { Stream } from '@libp2p/interface'
import { StreamBufferError } from '@libp2p/interface'
import { replaceMethod } from './replace-method.ts'

/** A stream as the transports implement it: `onData` receives what arrives. */
type BufferingStream = Stream & { onData?: (data: { readonly byteLength: number }) => void }

interface Watched {
  readonly stream: Stream
  /** Its bytes as of the last count: never fewer than it holds, except while it takes a chunk. */
  bytes: number
}

/**
 * Bounds the bytes in the read and write buffers of all streams together. Before a stream takes a chunk that would
 * exceed the bound, the streams that hold most end, the largest first: those of peers that do not read. libp2p bounds
 * only each stream, and its write buffers not at all.
 */
export class BufferBudget {
  readonly #limit: number
  readonly #onAborted: (stream: Stream) => void
  /** Bounded by the streams; each leaves it when it closes. */
  readonly #watched = new Map<Stream, Watched>()
  #total = 0

  /** `onAborted`: a stream ended to make room. */
  constructor(limit: number, onAborted: (stream: Stream) => void) {
    this.#limit = limit
    this.#onAborted = onAborted
  }

  /** Bytes in all buffers now. */
  get used(): number {
    return this.#recount()
  }

  watch(stream: Stream): void {
    if (this.#watched.has(stream) || stream.status !== 'open') return
    const watched: Watched = { stream, bytes: 0 }
    this.#watched.set(stream, watched)
    const update = () => this.#update(watched)
    replaceMethod(stream, 'send', (send) => (data) => {
      this.#makeRoom(stream, data.byteLength)
      try {
        return send(data)
      } finally {
        update()
      }
    })
    const buffering: BufferingStream = stream
    if (buffering.onData !== undefined)
      replaceMethod(buffering as Required<BufferingStream>, 'onData', (onData) => (data) => {
        this.#makeRoom(stream, data.byteLength)
        onData(data)
        update()
      })
    stream.addEventListener('close', () => {
      this.#watched.delete(stream)
      this.#total -= watched.bytes
      watched.bytes = 0
    })
    update()
  }

  #update(watched: Watched): void {
    const { stream } = watched
    const bytes = this.#watched.has(stream) ? stream.readBufferLength + stream.writeBufferLength : 0
    this.#total += bytes - watched.bytes
    watched.bytes = bytes
  }

  /** Buffers drain without an event that tells how much, so the running total is only an upper bound. */
  #recount(): number {
    for (const watched of this.#watched.values()) this.#update(watched)
    return this.#total
  }

  #makeRoom(stream: Stream, bytes: number): void {
    if (this.#total + bytes <= this.#limit) return
    this.#recount()
    while (this.#total + bytes > this.#limit && this.#watched.size > 0) {
      const largest = this.#largest(stream)
      this.#onAborted(largest)
      largest.abort(new StreamBufferError(`the streams of this node hold ${this.#limit} bytes`))
      if (largest === stream) return
    }
  }

  /** The stream itself counts as the largest if no other holds anything. */
  #largest(stream: Stream): Stream {
    let largest: Watched | undefined
    for (const watched of this.#watched.values()) if (watched.bytes > (largest?.bytes ?? 0)) largest = watched
    return largest?.stream ?? stream
  }
}
