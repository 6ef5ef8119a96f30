/** Upper edges of the buckets, in milliseconds; above the last one lies everything longer. */
const edges = [1, 2, 3, 5, 8, 13, 20, 35, 50, 80, 130, 200, 350, 500, 800, 1_300, 2_000, 5_000, 10_000] as const

/** How late timers fire, as a histogram of fixed size. */
export class Lateness {
  readonly #counts = new Array<number>(edges.length + 1).fill(0)
  #max = 0
  #count = 0

  add(ms: number): void {
    const bucket = edges.findIndex((edge) => ms <= edge)
    const index = bucket === -1 ? edges.length : bucket
    this.#counts[index] = (this.#counts[index] ?? 0) + 1
    this.#max = Math.max(this.#max, ms)
    this.#count++
  }

  /** The 99th percentile, to the upper edge of its bucket and at most the longest; and the longest. Begins anew. */
  take(): { readonly p99: number; readonly max: number } {
    const rank = Math.ceil(this.#count * 0.99)
    let seen = 0
    const index = this.#counts.findIndex((count) => {
      seen += count
      return seen >= rank && rank > 0
    })
    const taken = { p99: Math.min(this.#max, edges[index] ?? this.#max), max: this.#max }
    this.#counts.fill(0)
    this.#max = 0
    this.#count = 0
    return taken
  }
}
