/** Times this far apart are two groups: a process is silent for less, unless its machine sleeps. */
const gapMs = 6 * 3_600_000
/** No evidence goes on after so long a silence: a clock was set meanwhile. */
const unsetMs = 30 * 86_400_000
/** So few times beside many are of spans with a wrong time. */
const few = { count: 4, part: 1 / 8 }
const maxGroups = 16

interface Group {
  firstMs: number
  lastMs: number
  count: number
}

/**
 * From when to when something was seen, in spite of single spans with a wrong time: without a clock a span is of 1970,
 * and with a false one of next week. Times come in any order.
 */
export class Lifetime {
  /** By time, with a gap between any two. */
  #groups: Group[] = []
  /** Those that count; undefined after a change of the groups or of their ranks. */
  #plausible: readonly Group[] | undefined

  /** Infinity without any time. */
  get firstMs(): number {
    return this.#plausibleGroups()[0]?.firstMs ?? Number.POSITIVE_INFINITY
  }

  /** -Infinity without any time. */
  get lastMs(): number {
    return this.#plausibleGroups().at(-1)?.lastMs ?? Number.NEGATIVE_INFINITY
  }

  /** Whether some times were wrong. */
  get hasOdd(): boolean {
    return this.#plausibleGroups().length < this.#groups.length
  }

  /** Whether a time is not a wrong one. */
  isPlausible(atMs: number): boolean {
    return atMs >= this.firstMs && atMs <= this.lastMs
  }

  /** `count` times from the first to the last of them. */
  add(firstMs: number, lastMs = firstMs, count = 1): void {
    if (!Number.isFinite(firstMs) || !Number.isFinite(lastMs)) return
    const near = this.#groups.find((one) => firstMs <= one.lastMs + gapMs && lastMs >= one.firstMs - gapMs)
    if (this.#groups.length > 1) this.#plausible = undefined
    if (near === undefined) {
      const added = { firstMs, lastMs, count }
      this.#groups.push(added)
      this.#joinGroups()
      if (this.#groups.length > maxGroups) this.#dropSmallest(added)
      return
    }
    near.firstMs = Math.min(near.firstMs, firstMs)
    near.lastMs = Math.max(near.lastMs, lastMs)
    near.count += count
    if (this.#groups.length > 1) this.#joinGroups()
  }

  /** Joins what lies side by side now. */
  #joinGroups(): void {
    const joined: Group[] = []
    for (const group of this.#groups.sort((a, b) => a.firstMs - b.firstMs)) {
      const last = joined.at(-1)
      if (last === undefined || group.firstMs > last.lastMs + gapMs) {
        joined.push(group)
        continue
      }
      last.lastMs = Math.max(last.lastMs, group.lastMs)
      last.count += group.count
    }
    this.#groups = joined
    this.#plausible = undefined
  }

  /** The new group stays: it may be the first of the true ones. */
  #dropSmallest(added: Group): void {
    const [smallest] = this.#groups.filter((one) => one !== added).sort((a, b) => a.count - b.count)
    this.#groups = this.#groups.filter((one) => one !== smallest)
  }

  #plausibleGroups(): readonly Group[] {
    if (this.#groups.length < 2) return this.#groups
    if (this.#plausible !== undefined) return this.#plausible
    const [largest] = this.#groups.toSorted((a, b) => b.count - a.count) as [Group, ...Group[]]
    const isPlausible = ({ firstMs, lastMs, count }: Group) =>
      (count > few.count || count > few.part * largest.count) &&
      firstMs < largest.lastMs + unsetMs &&
      lastMs > largest.firstMs - unsetMs
    this.#plausible = this.#groups.filter(isPlausible)
    return this.#plausible
  }
}
