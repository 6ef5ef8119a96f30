/** Upper edges of the buckets, in milliseconds; one more bucket counts everything longer. */
const edges = [1, 2, 3, 5, 8, 13, 20, 35, 50, 80, 130, 200, 350, 500, 800, 1_300, 2_000, 5_000, 10_000] as const

/** A histogram of fixed size of how late timers fire. */
export class DelayHistogram {
  readonly #counts = new Array<number>(edges.length + 1).fill(0)
  #max = 0
  #count = 0

  record(ms: number): void {
    const bucket = edges.findIndex((edge) => ms <= edge)
    const index = bucket === -1 ? edges.length : bucket
    this.#counts[index] = (this.#counts[index] ?? 0) + 1
    this.#max = Math.max(this.#max, ms)
    this.#count++
  }

  /** Returns the maximum, and the 99th percentile as the upper edge of its bucket, at most the maximum. Then resets. */
  collect(): { readonly p99: number; readonly max: number } {
    const rank = Math.ceil(this.#count * 0.99)
    let cumulative = 0
    const index = this.#counts.findIndex((count) => {
      cumulative += count
      return cumulative >= rank && rank > 0
    })
    const result = { p99: Math.min(this.#max, edges[index] ?? this.#max), max: this.#max }
    this.#counts.fill(0)
    this.#max = 0
    this.#count = 0
    return result
  }
}
