import type { Instance } from '../evidence/instance.ts'
import type { Point } from '../evidence/series.ts'
import { type Judgement, judgeGrowth, pointsOf, valueAt } from './growth.ts'
import { trendOf } from './trend.ts'

/** A new process compiles its code, and fills its caches. */
export const warmUpMs = 120_000

/** Bytes that a floor rises by at least: within the warm-up, and after it. */
export interface FloorBounds {
  readonly anytime: number
  readonly warm: number
}

const mib = 1_048_576
/** Floors of clean nodes: the heap rises by up to 9 MiB while it warms up, and spreads over 5 MiB with the load; measured. */
export const heapBounds: FloorBounds = { anytime: 18 * mib, warm: 6 * mib }
/** Buffers that wait for the network show as single floors of up to 4 MiB more. */
export const externalBounds: FloorBounds = { anytime: 12 * mib, warm: 3 * mib }

/** What was left after the major collections, at their times: the last one before each census, if there was a new one. */
export function floorsOf(instance: Instance, kind: 'heap' | 'external'): readonly Point[] {
  const collections = pointsOf(instance, 'mesh.memory.major_gcs_total')
  const ages = pointsOf(instance, 'mesh.memory.major_gc_age_ms')
  const floors = pointsOf(instance, `mesh.memory.${kind}_floor`)
  const isNew = ({ atMs }: Point, index: number) => {
    const before = floors[index - 1]
    return before === undefined || valueAt(collections, atMs) > valueAt(collections, before.atMs)
  }
  return floors.filter(isNew).map(({ atMs, value }) => ({ atMs: atMs - valueAt(ages, atMs), value }))
}

/** Whether floors rise for good: by a bound, in each third, and with a slope whose interval lies above zero. */
export function judgeFloors(instance: Instance, floors: readonly Point[], bounds: FloorBounds): Judgement {
  const warm = floors.filter(({ atMs }) => atMs >= instance.firstMs + warmUpMs)
  const judgements = [judgeGrowth(warm, bounds.warm), judgeGrowth(floors, bounds.anytime)]
  const rising = judgements.find(
    (one) => one.is === 'rises' && (trendOf(since(floors, one.rise.since.atMs))?.low ?? 0) > 0,
  )
  return rising ?? judgements[1] ?? { is: 'level' }
}

function since(points: readonly Point[], fromMs: number): readonly Point[] {
  return points.filter(({ atMs }) => atMs >= fromMs)
}
