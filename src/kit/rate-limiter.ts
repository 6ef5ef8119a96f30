/** Lets one event pass per `intervalMs`. */
export class RateLimiter {
  readonly #intervalMs: number
  #lastMs = -Infinity

  constructor(intervalMs: number) {
    this.#intervalMs = intervalMs
  }

  /** Whether the event at `now` (monotonic milliseconds) passes. */
  take(now: number): boolean {
    if (now - this.#lastMs < this.#intervalMs) return false
    this.#lastMs = now
    return true
  }
}

/** Milliseconds between two sampled spans of messages or requests, in each direction. */
export const sampleMs = 1_000
