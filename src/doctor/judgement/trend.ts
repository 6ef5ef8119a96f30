import type { Point } from '../evidence/series.ts'

/** A slope per millisecond, and the bounds of its interval of 90 %. */
export interface Trend {
  readonly slope: number
  readonly low: number
  readonly high: number
}

/** Quantile of the normal distribution at 95 %. */
const z95 = 1.645

/**
 * Theil and Sen’s slope, the median of the slopes of all pairs: up to a quarter of the values may be anything. Its
 * interval is Sen’s, by the variance of Kendall’s statistic. Undefined for fewer than four points: they bound nothing.
 */
export function trendOf(points: readonly Point[]): Trend | undefined {
  const count = points.length
  const pairs = points.flatMap((one, i) => points.slice(i + 1).map((other) => [one, other] as const))
  const slopes = pairs
    .filter(([one, other]) => other.atMs > one.atMs)
    .map(([one, other]) => (other.value - one.value) / (other.atMs - one.atMs))
    .sort((a, b) => a - b)
  if (count < 4 || slopes.length === 0) return undefined
  const reach = z95 * Math.sqrt((count * (count - 1) * (2 * count + 5)) / 18)
  const at = (rank: number) => slopes[Math.min(slopes.length - 1, Math.max(0, rank))] ?? 0
  const middle = (slopes.length - 1) / 2
  return {
    slope: (at(Math.floor(middle)) + at(Math.ceil(middle))) / 2,
    low: at(Math.round((slopes.length - reach) / 2) - 1),
    high: at(Math.round((slopes.length + reach) / 2)),
  }
}
