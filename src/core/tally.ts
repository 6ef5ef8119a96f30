/** Counts by name; a name without a count takes no memory. */
export class Tally {
  readonly #counts = new Map<string, number>()

  get(name: string): number {
    return this.#counts.get(name) ?? 0
  }

  add(name: string | undefined, change: number): void {
    if (name === undefined) return
    const count = this.get(name) + change
    if (count > 0) this.#counts.set(name, count)
    else this.#counts.delete(name)
  }

  /** The largest count; 0 without any. */
  most(): number {
    return Math.max(0, ...this.#counts.values())
  }
}

const windowMs = 1_000

/** Times of the last second by name. It forgets them within two seconds, so their rate bounds it. */
export class SecondLog {
  #times = new Map<string, number[]>()
  #timesBefore = new Map<string, number[]>()
  #since = -Infinity

  /** How many were added under this name within the second before `now`. */
  count(name: string, now: number): number {
    this.#rotate(now)
    const isRecent = (at: number) => now - at < windowMs
    const before = this.#timesBefore.get(name)?.filter(isRecent).length ?? 0
    return before + (this.#times.get(name)?.length ?? 0)
  }

  add(name: string, now: number): void {
    this.#rotate(now)
    const times = this.#times.get(name)
    if (times === undefined) this.#times.set(name, [now])
    else times.push(now)
  }

  #rotate(now: number): void {
    if (now - this.#since < windowMs) return
    this.#timesBefore = now - this.#since < 2 * windowMs ? this.#times : new Map()
    this.#times = new Map()
    this.#since = now
  }
}
