/**
 * Libp2p runs identify once, when a connection opens, and gives it 5 s: on a busy machine that is not enough, and without
 * it gossipsub never opens its stream. So it is run again after 6 s, and 12, 24 and 48 s after that. A peer that never
 * answers is a guest that speaks no identify.
 */
const firstRetryMs = 6_000
const maxRetries = 4

/** The retries of identify on one connection. */
export class IdentifyRetry {
  #retries = 0
  #dueAt: number

  constructor(openedAt: number) {
    this.#dueAt = openedAt + firstRetryMs
  }

  /** When the next retry is due; Infinity after the last one. */
  get dueAt(): number {
    return this.#retries < maxRetries ? this.#dueAt : Infinity
  }

  /** Number of the retry that is due now, from 1; undefined when none is. */
  takeDueRetry(now: number): number | undefined {
    if (now < this.dueAt) return undefined
    this.#retries++
    this.#dueAt = now + firstRetryMs * 2 ** this.#retries
    return this.#retries
  }
}
