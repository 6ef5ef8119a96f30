import type { Instance } from '../evidence/instance.ts'
import type { Point } from '../evidence/series.ts'
import { type Judgement, judgeGrowth, pointsOf, valueAt } from './growth.ts'
import { trendOf } from './trend.ts'

/** A new process compiles its code, and fills its caches. */
export const warmUpMs = 120_000

/** Bytes that memory rises by at least. */
export interface MemoryBounds {
  /** Floors, within the warm-up and after it. */
  readonly anytime: number
  readonly warm: number
  /** Three floors, if the memory in use rises by `inUse` at each census meanwhile, too. */
  readonly three: number
  readonly inUse: number
}

const mib = 1_048_576
/**
 * The heap of clean nodes: floors rise by up to 9 MiB while it warms up, and spread over 5 MiB with the load; what is in
 * use rises by up to 11 MiB. Measured.
 */
export const heapBounds: MemoryBounds = { anytime: 18 * mib, warm: 6 * mib, three: 14 * mib, inUse: 24 * mib }
/** Buffers that wait for the network show as single floors of up to 4 MiB more. */
export const externalBounds: MemoryBounds = { anytime: 12 * mib, warm: 3 * mib, three: 12 * mib, inUse: 24 * mib }

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

/**
 * Whether memory rises for good: its floors by a bound, in each third, and with a slope whose interval lies above zero.
 * A heap that grows has few collections, so three floors suffice if what is in use rises with them until the end.
 */
export function judgeMemory(instance: Instance, { floors, inUse, bounds }: Memory): Judgement {
  const warm = floors.filter(({ atMs }) => atMs >= instance.firstMs + warmUpMs)
  const judgements = [judgeGrowth(warm, bounds.warm), judgeGrowth(floors, bounds.anytime)]
  const rising = judgements.find(
    (one) => one.is === 'rises' && (trendOf(since(floors, one.rise.since.atMs))?.low ?? 0) > 0,
  )
  if (rising !== undefined) return rising
  const three = judgeGrowth(floors, bounds.three)
  if (three.is === 'short' && judgeGrowth(inUse, bounds.inUse).is === 'rises') return { ...three, is: 'rises' }
  return judgements[1] ?? { is: 'level' }
}

function since(points: readonly Point[], fromMs: number): readonly Point[] {
  return points.filter(({ atMs }) => atMs >= fromMs)
}
