/**
 * Decides which ghosts to sweep. A ghost is a peer id that gossipsub lists without a connection. One that has just
 * disconnected has a grace: libp2p removes the connection first and tells gossipsub a little later.
 */
export class GhostWatch {
  readonly #graceMs: number
  /** Since when each id has been a ghost; every check replaces it, so it has no more entries than the tables. */
  #since: ReadonlyMap<string, number> | undefined

  /** `graceMs`: milliseconds, positive. */
  constructor(graceMs: number) {
    this.#graceMs = graceMs
  }

  /** `ghosts`: all current ones; returns those that are past the grace. An id with a connection starts anew. */
  check(ghosts: ReadonlySet<string>, now: number): ReadonlySet<string> {
    const since = new Map<string, number>()
    const due = new Set<string>()
    for (const id of ghosts) {
      const from = this.#since?.get(id) ?? now
      since.set(id, from)
      if (now - from >= this.#graceMs) due.add(id)
    }
    this.#since = since
    return due
  }
}
