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
