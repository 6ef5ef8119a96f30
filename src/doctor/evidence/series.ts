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
  #first: Point
  #last: Point
  #min: number
  #max: number
  /** By period; undefined while there is a single point. */
  #points: Map<number, Point> | undefined
  #periodMs = 1_000

  constructor(first: Point) {
    this.#first = first
    this.#last = first
    this.#min = first.value
    this.#max = first.value
  }

  add(point: Point): void {
    if (this.#points === undefined) {
      this.#points = new Map()
      this.#retain(this.#first)
    }
    if (point.atMs < this.#first.atMs) this.#first = point
    if (point.atMs >= this.#last.atMs) this.#last = point
    this.#min = Math.min(this.#min, point.value)
    this.#max = Math.max(this.#max, point.value)
    this.#retain(point)
  }

  get first(): Point {
    return this.#first
  }

  get last(): Point {
    return this.#last
  }

  get min(): number {
    return this.#min
  }

  get max(): number {
    return this.#max
  }

  /** Last value less the first. */
  get rise(): number {
    return this.#last.value - this.#first.value
  }

  /** Milliseconds from the first to the last value. */
  get spanMs(): number {
    return this.#last.atMs - this.#first.atMs
  }

  /** By time. */
  points(): Point[] {
    return [...(this.#points?.values() ?? [this.#first])].sort((a, b) => a.atMs - b.atMs)
  }

  #retain(point: Point): void {
    const points = this.#points
    if (points === undefined) return
    this.#keepEarliest(points, point)
    while (points.size > maxPoints) {
      this.#periodMs *= 2
      const all = [...points.values()]
      points.clear()
      for (const one of all) this.#keepEarliest(points, one)
    }
  }

  #keepEarliest(points: Map<number, Point>, point: Point): void {
    const period = Math.floor(point.atMs / this.#periodMs)
    const present = points.get(period)
    if (present === undefined || point.atMs < present.atMs) points.set(period, point)
  }
}
