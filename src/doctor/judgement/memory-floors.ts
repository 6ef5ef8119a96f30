import type { Instance } from '../evidence/instance.ts'
import type { Point } from '../evidence/series.ts'
import { type Judgement, judgeGrowth, pointsOf, type Rise, riseIn, valueAt } from './growth.ts'
import { isOfLoad } from './load.ts'
import { externalBounds, heapBounds, type MemoryBounds } from './thresholds.ts'
import { trendOf } from './trend.ts'

/** A new process compiles its code, and fills its caches. */
export const warmUpMs = 120_000

/** Memory of a process: what major collections leave, and what is in use at each census, garbage included. */
export interface Memory {
  readonly floors: readonly Point[]
  readonly inUse: readonly Point[]
  readonly bounds: MemoryBounds
}

/** Of the heap, or of what is outside of it. */
export function memoryOf(instance: Instance, kind: 'heap' | 'external'): Memory {
  return {
    floors: floorsOf(instance, kind),
    inUse: pointsOf(instance, kind === 'heap' ? 'v8js.memory.heap.used' : 'mesh.memory.external'),
    bounds: kind === 'heap' ? heapBounds : externalBounds,
  }
}

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

/** What rises slows down to less than this part of its first third: a cache that fills, a warm-up. */
const leastLastThird = 0.4

/**
 * Whether memory rises for good: its floors by a bound, in each third, hardly slower in the last one than in the first,
 * with a slope whose interval lies above zero, and by more than peers and messages bring that become more all the time. A
 * heap that grows has few collections, so three floors suffice if what is in use rises with them until the end.
 */
export function judgeMemory(instance: Instance, { floors, inUse, bounds }: Memory): Judgement {
  const warm = floors.filter(({ atMs }) => atMs >= instance.firstMs + warmUpMs)
  const judgements = [judgeGrowth(warm, bounds.warm), judgeGrowth(floors, bounds.anytime)]
  const isGrowth = (rise: Rise) => !slowsDown(floors, rise) && !isOfLoad(instance, floors, rise, bounds.loads)
  const rising = judgements.find(
    (one) => one.is === 'rises' && isGrowth(one.rise) && (trendOf(since(floors, one.rise.since.atMs))?.low ?? 0) > 0,
  )
  if (rising !== undefined) return rising
  const three = judgeGrowth(floors, bounds.three)
  const isThree = three.is === 'short' && isGrowth(three.rise)
  if (isThree && judgeGrowth(inUse, bounds.inUse).is === 'rises') return { ...three, is: 'rises' }
  const anytime = judgements[1]
  return anytime === undefined || anytime.is === 'level' || !isGrowth(anytime.rise) ? { is: 'level' } : anytime
}

/** Whether it rises by much less in the last third than in the first; three points say nothing of that. */
export function slowsDown(points: readonly Point[], { since: first, last }: Rise): boolean {
  const third = (last.atMs - first.atMs) / 3
  const from = since(points, first.atMs)
  if (from.length <= 3) return false
  const begun = riseIn(from, first.atMs, first.atMs + third)
  return riseIn(from, last.atMs - third, last.atMs) < leastLastThird * begun
}

function since(points: readonly Point[], fromMs: number): readonly Point[] {
  return points.filter(({ atMs }) => atMs >= fromMs)
}
