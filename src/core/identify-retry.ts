/**
 * Libp2p runs identify once, when a connection opens, with a timeout of 5 s. That is too short on a busy machine, and
 * gossipsub never opens its stream without identify. Retries follow after 6 s, and 12, 24 and 48 s after that. A peer
 * that never answers is a guest without identify.
 */
const firstRetryMs = 6_000
const maxRetries = 4

/** Schedules identify retries on one connection. */
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

  /** Number of the retry that is due now, from 1; undefined if no retry is due. */
  takeDueRetry(now: number): number | undefined {
    if (now < this.dueAt) return undefined
    this.#retries++
    this.#dueAt = now + firstRetryMs * 2 ** this.#retries
    return this.#retries
  }
}
