import type { Stream } from '@libp2p/interface'
import { StreamBufferError } from '@libp2p/interface'
import { Tally } from '../../core/tally.ts'
import { replaceMethod } from '../replace-method.ts'

/** A stream as the transports implement it: `onData` receives what arrives. */
type BufferingStream = Stream & { onData?: (data: { readonly byteLength: number }) => void }

interface Watched {
  readonly stream: Stream
  readonly peer: string
  /** Its bytes as of the last count: never fewer than it holds, except while it takes a chunk. */
  bytes: number
  /** When they were last seen to shrink, or to begin. */
  movedAt: number
}

interface BufferBudgetOptions {
  /** Bytes. */
  readonly limit: number
  /** Milliseconds. */
  readonly now: () => number
  /** A stream of this peer ends to make room. */
  readonly onAborted: (stream: Stream, peer: string) => void
}

/** Milliseconds after which bytes that do not shrink belong to a peer that does not read. Guess. */
const stalledMs = 1_000
/** How much more these count: four, so that a slow peer with far more of them still ends first. Guess. */
const stalledWeight = 4

/**
 * Bounds the bytes in the read and write buffers of all streams together. Before a stream takes a chunk that would
 * exceed the bound, the streams of the peer that holds most end, its largest first. Bytes that stand still count more
 * than those of a burst. libp2p bounds only each stream, and its write buffers not at all.
 */
export class BufferBudget {
  readonly #options: BufferBudgetOptions
  /** Bounded by the streams; each leaves it when it closes. */
  readonly #watched = new Map<Stream, Watched>()
  #total = 0

  constructor(options: BufferBudgetOptions) {
    this.#options = options
  }

  /** Bytes in all buffers now. */
  get used(): number {
    return this.#recount()
  }

  watch(stream: Stream, peer: string): void {
    if (this.#watched.has(stream) || stream.status !== 'open') return
    const watched: Watched = { stream, peer, bytes: 0, movedAt: 0 }
    this.#watched.set(stream, watched)
    const update = () => this.#update(watched)
    replaceMethod(stream, 'send', (send) => (data) => {
      this.#makeRoom(watched, data.byteLength)
      try {
        return send(data)
      } finally {
        update()
      }
    })
    const buffering: BufferingStream = stream
    if (buffering.onData !== undefined)
      replaceMethod(buffering as Required<BufferingStream>, 'onData', (onData) => (data) => {
        this.#makeRoom(watched, data.byteLength)
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
    if (bytes === watched.bytes) return
    if (watched.bytes === 0 || bytes < watched.bytes) watched.movedAt = this.#options.now()
    this.#total += bytes - watched.bytes
    watched.bytes = bytes
  }

  /** Buffers drain without an event that tells how much, so the running total is only an upper bound. */
  #recount(): number {
    for (const watched of this.#watched.values()) this.#update(watched)
    return this.#total
  }

  #makeRoom(writer: Watched, bytes: number): void {
    const { limit, onAborted } = this.#options
    // What it has drained since its last chunk shows that its peer reads.
    this.#update(writer)
    if (this.#total + bytes <= limit) return
    this.#recount()
    while (this.#total + bytes > limit && this.#watched.size > 0) {
      const { stream, peer } = this.#largest() ?? writer
      onAborted(stream, peer)
      stream.abort(new StreamBufferError(`the streams of this node hold ${limit} bytes`))
      if (stream === writer.stream) return
    }
  }

  /** The largest stream of the peer that holds most; undefined if none holds anything. */
  #largest(): Watched | undefined {
    const now = this.#options.now()
    const weightOf = ({ bytes, movedAt }: Watched) => (now - movedAt >= stalledMs ? stalledWeight * bytes : bytes)
    const byPeer = new Tally()
    for (const watched of this.#watched.values()) byPeer.add(watched.peer, weightOf(watched))
    const most = byPeer.most()
    let largest: Watched | undefined
    for (const watched of this.#watched.values())
      if (byPeer.get(watched.peer) === most && weightOf(watched) > (largest === undefined ? 0 : weightOf(largest)))
        largest = watched
    return largest
  }
}
