/** Handshakes that a listener has accepted and finished since it began to count, at one time. */
export interface HandshakeCounts {
  readonly accepted: number
  /** With a connection or with an error. */
  readonly finished: number
}

/** Handshakes that have not finished for too long. */
export interface StalledHandshakes {
  readonly count: number
  /** Each has lasted at least this long, milliseconds. */
  readonly atLeastMs: number
}

/** A handshake takes one or two round trips; a busy machine adds a second or two. Guess. */
const stalledMs = 4_000
/** While handshakes stay stalled, this often. */
const repeatMs = 30_000

/**
 * Finds stalled handshakes from counts alone: a listener does not show which handshakes it is in. Of those accepted more
 * than `stalledMs` ago all but the finished ones are stalled; later ones may have finished earlier, so it is a lower bound.
 */
export class HandshakeWatch {
  #samples: { readonly at: number; readonly accepted: number }[] = []
  #reported = 0
  #reportedAt = -Infinity

  /** Takes counts, at any interval; returns what to report: more stalled ones than before, or still some after a while. */
  observe({ accepted, finished }: HandshakeCounts, now: number): StalledHandshakes | undefined {
    this.#samples.push({ at: now, accepted })
    const old = this.#samples.findLast(({ at }) => now - at >= stalledMs)
    if (old === undefined) return undefined
    this.#samples = this.#samples.slice(this.#samples.indexOf(old))
    const count = Math.max(0, old.accepted - finished)
    const isDue = count > this.#reported || (count > 0 && now - this.#reportedAt >= repeatMs)
    if (count === 0) this.#reported = 0
    if (!isDue) return undefined
    this.#reported = count
    this.#reportedAt = now
    return { count, atLeastMs: Math.round(now - old.at) }
  }
}
