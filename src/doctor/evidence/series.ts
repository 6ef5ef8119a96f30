/** A value of a census at a time, milliseconds since 1970. */
export interface Point {
  readonly atMs: number
  readonly value: number
}

/** Points that a series retains, whatever its length. */
const maxPoints = 128

/**
 * A number that every census has, over time. It retains the first and the last value, the extremes, and at most 128
 * points, the earliest of each period of equal length, so its memory does not grow with the number of censuses. Points
 * may come in any order, and twice.
 */
export class Series {
  #firstMs: number
  #firstValue: number
  #lastMs: number
  #lastValue: number
  #min: number
  #max: number
  /** Retained points by time: two lists of numbers take a tenth of the memory of a map of points. */
  readonly #times: number[]
  readonly #values: number[]
  #periodMs = 1_000

  constructor({ atMs, value }: Point) {
    this.#firstMs = this.#lastMs = atMs
    this.#firstValue = this.#lastValue = this.#min = this.#max = value
    this.#times = [atMs]
    this.#values = [value]
  }

  add({ atMs, value }: Point): void {
    this.note(atMs, value)
  }

  /** The same as `add`, for the many values of a file. */
  note(atMs: number, value: number): void {
    if (atMs < this.#firstMs) {
      this.#firstMs = atMs
      this.#firstValue = value
    }
    if (atMs >= this.#lastMs) {
      this.#lastMs = atMs
      this.#lastValue = value
    }
    if (value < this.#min) this.#min = value
    if (value > this.#max) this.#max = value
    this.#retain(atMs, value)
  }

  get first(): Point {
    return { atMs: this.#firstMs, value: this.#firstValue }
  }

  get last(): Point {
    return { atMs: this.#lastMs, value: this.#lastValue }
  }

  get min(): number {
    return this.#min
  }

  get max(): number {
    return this.#max
  }

  /** Last value less the first. */
  get rise(): number {
    return this.#lastValue - this.#firstValue
  }

  /** Milliseconds from the first to the last value. */
  get spanMs(): number {
    return this.#lastMs - this.#firstMs
  }

  /** By time. */
  points(): Point[] {
    return this.#times.map((atMs, index) => ({ atMs, value: this.#values[index] as number }))
  }

  /** The same without the points before and after two times; undefined if none is left. */
  within(fromMs: number, toMs: number): Series | undefined {
    if (this.#firstMs >= fromMs && this.#lastMs <= toMs) return this
    const [first, ...others] = [...this.points(), this.last].filter(({ atMs }) => atMs >= fromMs && atMs <= toMs)
    if (first === undefined) return undefined
    const series = new Series(first)
    for (const point of others) series.add(point)
    return series
  }

  #retain(atMs: number, value: number): void {
    const times = this.#times
    const latest = times[times.length - 1] as number
    if (atMs < latest) this.#insert(atMs, value)
    else if (this.#periodOf(atMs) !== this.#periodOf(latest)) {
      times.push(atMs)
      this.#values.push(value)
    } else return
    while (times.length > maxPoints) this.#thin()
  }

  /** A point that came late: it replaces the retained one of its period if it is earlier. */
  #insert(atMs: number, value: number): void {
    const [times, values] = [this.#times, this.#values]
    const at = times.findIndex((time) => time >= atMs)
    const period = this.#periodOf(atMs)
    if (times[at] === atMs || (at > 0 && this.#periodOf(times[at - 1] as number) === period)) return
    const replaced = this.#periodOf(times[at] as number) === period ? 1 : 0
    times.splice(at, replaced, atMs)
    values.splice(at, replaced, value)
  }

  /** Doubles the period. */
  #thin(): void {
    this.#periodMs *= 2
    const [times, values] = [this.#times, this.#values]
    let kept = 0
    let period = Number.NaN
    for (let index = 0; index < times.length; index++) {
      const atMs = times[index] as number
      if (this.#periodOf(atMs) === period) continue
      period = this.#periodOf(atMs)
      times[kept] = atMs
      values[kept] = values[index] as number
      kept++
    }
    times.length = kept
    values.length = kept
  }

  #periodOf(atMs: number): number {
    return Math.floor(atMs / this.#periodMs)
  }
}
