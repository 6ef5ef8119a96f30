import type { Instance } from '../evidence/instance.ts'
import type { Point, Series } from '../evidence/series.ts'
import type { FindingOwner, Growth } from '../finding.ts'

const hourMs = 3_600_000
/** Points that a rise has at least: three steps, one for each third. */
const leastPoints = 4
/** Part of the rise that each third of its time has at least: a step, a warm-up and a rise that ended have less. */
const leastThird = 0.12
/** Part of the rise below which a value is still near the start. */
const nearStart = 0.05

/** A rise that goes on until the end of the evidence. */
export interface Rise {
  /** The last point that is still near the lowest value. */
  readonly since: Point
  readonly last: Point
}

/** `rises`: it grows for good. `short`: it rose at each point, but there are too few of them. */
export type Judgement = { readonly is: 'rises' | 'short'; readonly rise: Rise } | { readonly is: 'level' }

/**
 * Judges whether a count grows for good. It looks at the lowest value from each point on to the end: what churn raises
 * and lowers, and what a collector frees, is not in there. These must rise by `least`, by twice the largest fall of the
 * count, and in each third of the time since they began to; the begin may be anywhere in the first half of the rise.
 */
export function judgeGrowth(points: readonly Point[], least: number): Judgement {
  const floors = floorsOf(points)
  const [first, last] = [floors[0], floors.at(-1)]
  if (first === undefined || last === undefined) return { is: 'level' }
  const total = last.value - first.value
  if (total < Math.max(least, 2 * largestFall(points))) return { is: 'level' }
  const start = floors.findLastIndex(({ value }) => value <= first.value + nearStart * total)
  const end = floors.findLastIndex(({ value }) => value <= first.value + total / 2)
  for (let begin = start; begin <= end; begin++) {
    const rising = floors.slice(begin)
    if (!isSteady(rising)) continue
    const rise = { since: { atMs: rising[0]?.atMs ?? 0, value: points[begin]?.value ?? 0 }, last }
    return { is: rising.length < leastPoints ? 'short' : 'rises', rise }
  }
  return { is: 'level' }
}

/** Whether values rise in each third of their time; in each half, if there are only three. */
function isSteady(rising: readonly Point[]): boolean {
  const [first, last] = [rising[0], rising.at(-1)]
  if (first === undefined || last === undefined || rising.length < leastPoints - 1) return false
  const parts = Math.min(rising.length, leastPoints) - 1
  const marks = Array.from({ length: parts + 1 }, (_, part) =>
    valueAt(rising, first.atMs + (part * (last.atMs - first.atMs)) / parts),
  )
  const least = leastThird * (last.value - first.value)
  return marks.slice(1).every((value, index) => value - (marks[index] ?? 0) >= least)
}

/** The rise, if the count grows for good. */
export function riseOf(points: readonly Point[], least: number): Rise | undefined {
  const judgement = judgeGrowth(points, least)
  return judgement.is === 'rises' ? judgement.rise : undefined
}

/** The lowest value from each point on. */
function floorsOf(points: readonly Point[]): Point[] {
  let lowest = Number.POSITIVE_INFINITY
  const floors = points.toReversed().map(({ atMs, value }) => {
    lowest = Math.min(lowest, value)
    return { atMs, value: lowest }
  })
  return floors.reverse()
}

/** From any value to a later one. */
export function largestFall(points: readonly Point[]): number {
  let [highest, fall] = [Number.NEGATIVE_INFINITY, 0]
  for (const { value } of points) {
    highest = Math.max(highest, value)
    fall = Math.max(fall, highest - value)
  }
  return fall
}

/** The value of a count at a time, on the line between the points beside it. */
export function valueAt(points: readonly Point[], atMs: number): number {
  const next = points.findIndex((point) => point.atMs >= atMs)
  const [before, after] = [points.at(next < 0 ? -1 : Math.max(0, next - 1)), points.at(next)]
  if (before === undefined || after === undefined) return 0
  if (next < 0 || after.atMs <= before.atMs) return (next < 0 ? before : after).value
  const part = Math.max(0, (atMs - before.atMs) / (after.atMs - before.atMs))
  return before.value + part * (after.value - before.value)
}

/** What no point means: nothing; 0 before the first point, as of a registry that was not in use; or 0 after the last, too. */
export type Absence = 'unknown' | 'unused' | 'none'

/**
 * The points of a series while the process ran. A line of a list is absent while there is nothing to count (`none`): it
 * is 0 at the census before its first point, and at the last census if it has none then.
 */
export function pointsOf(instance: Instance, key: string, absent: Absence = 'unknown'): readonly Point[] {
  const series = instance.series(key)
  if (series === undefined) return []
  const retained = series.points()
  const all = retained.at(-1)?.atMs === series.last.atMs ? retained : [...retained, series.last]
  const points = all.filter(({ atMs }) => atMs < instance.stopMs)
  const [first, last] = [points[0], points.at(-1)]
  if (absent === 'unknown' || first === undefined || last === undefined) return points
  const censuses = pointsOf(instance, everyCensus)
  const before = censuses.findLast(({ atMs }) => atMs < first.atMs - sameCensusMs)
  const end = censuses.at(-1)
  return [
    ...(before === undefined ? [] : [{ atMs: before.atMs, value: 0 }]),
    ...points,
    ...(absent === 'unused' || end === undefined || end.atMs <= last.atMs ? [] : [{ atMs: end.atMs, value: 0 }]),
  ]
}

/** Spans of one census have nearly the same time. */
const sameCensusMs = 1_000

/** A number of every census. */
export const everyCensus = 'mesh.audit.opened_total'

/** The points less what each connection of that time may have: what rises with the load alone is level then. */
export function beyondLoad(
  instance: Instance,
  points: readonly Point[],
  perConnection: number,
  load = 'mesh.audit.connections',
): readonly Point[] {
  const loads = pointsOf(instance, load)
  return points.map(({ atMs, value }) => ({ atMs, value: value - perConnection * valueAt(loads, atMs) }))
}

/** Connections that entered the ledger between two points: a measure of churn. */
export function churnOf(instance: Instance, { since, last }: Rise): number {
  return Math.round(riseIn(pointsOf(instance, everyCensus), since.atMs, last.atMs))
}

/** Rise of a count from one time to another. */
export function riseIn(points: readonly Point[], fromMs: number, toMs: number): number {
  return valueAt(points, toMs) - valueAt(points, fromMs)
}

/** The points of one count that two kinds of spans have; of those of one census the first stays. */
export function mergePoints(points: readonly Point[], others: readonly Point[]): readonly Point[] {
  const further = others.filter((other) => !points.some(({ atMs }) => Math.abs(atMs - other.atMs) < sameCensusMs))
  return [...points, ...further].sort((a, b) => a.atMs - b.atMs)
}

/** The growth of a series from its first to its last value; `events` is the churn of the same time. */
export function growthOf({ first, last }: Pick<Series, 'first' | 'last'>, unit: string, events: number): Growth {
  const [rise, spanMs] = [last.value - first.value, last.atMs - first.atMs]
  return {
    from: first.value,
    to: last.value,
    unit,
    perHour: spanMs > 0 ? Math.round((rise / spanMs) * hourMs) : 0,
    perEvent: events > 0 ? Math.round((rise / events) * 100) / 100 : undefined,
  }
}

/** The growth of a count over a rise, also if the rise was found in what is beyond the load. */
export function growthOver(instance: Instance, points: readonly Point[], rise: Rise, unit: string): Growth {
  const [first, last] = [rise.since, rise.last].map(({ atMs }) => ({ atMs, value: valueAt(points, atMs) }))
  return growthOf({ first: first as Point, last: last as Point }, unit, churnOf(instance, rise))
}

/** The owner of a finding about a part of one process. */
export function partOf({ mesh, node, id }: Instance, part: string): FindingOwner {
  return { mesh, node, instance: id, part }
}
