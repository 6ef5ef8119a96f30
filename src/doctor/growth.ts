import type { Instance } from './evidence/instance.ts'
import type { Series } from './evidence/series.ts'
import type { Growth } from './finding.ts'

const hourMs = 3_600_000

/** The growth of a series from its first to its last value; `events` is the churn of the same time. */
export function growthOf(series: Series, unit: string, events: number): Growth {
  const { first, last, rise, spanMs } = series
  return {
    from: first.value,
    to: last.value,
    unit,
    perHour: spanMs > 0 ? (rise / spanMs) * hourMs : 0,
    perEvent: events > 0 ? rise / events : undefined,
  }
}

/**
 * Whether a count grows for good: it rose by `least` over the evidence, most of its steps go up, and it ends near its
 * highest value. A count that churn raises and lowers, or that a warm-up filled once, does not.
 */
export function growsSteadily(series: Series, least: number): boolean {
  const { rise, max, last, min } = series
  if (rise < least || last.value < max - 0.1 * (max - min)) return false
  const points = series.points()
  if (points.length < 4) return false
  // It rises in each third: a step that was made once is no growth.
  const thirds = [0, 1, 2, 3].map((part) => points[Math.round((part * (points.length - 1)) / 3)]?.value ?? Number.NaN)
  return thirds.slice(1).every((value, index) => value - (thirds[index] ?? Number.NaN) >= least / 6)
}

/** When a series began to rise: the last point that is still near its lowest value. */
export function riseBeganMs(series: Series): number {
  const near = series.min + 0.05 * (series.max - series.min)
  return series.points().findLast(({ value }) => value <= near)?.atMs ?? series.first.atMs
}

/** The owner of a finding about a part of one process. */
export function partOf({ mesh, node, id }: Instance, part: string) {
  return { mesh, node, instance: id, part }
}
