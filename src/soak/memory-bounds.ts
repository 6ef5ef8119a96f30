import type { Instance } from '../doctor/evidence/instance.ts'
import type { Point } from '../doctor/evidence/series.ts'
import { valueAt } from '../doctor/judgement/growth.ts'
import { floorsOf } from '../doctor/judgement/memory-floors.ts'
import { trendOf } from '../doctor/judgement/trend.ts'

/** How the memory of one process grew with the lives: what its major collections left. */
export interface MemoryBound {
  readonly node: string
  readonly kind: 'heap' | 'external'
  /** Bytes at the first and at the last floor. */
  readonly from: number
  readonly to: number
  /** Bytes after each collection. */
  readonly floors: readonly number[]
  /** Bytes per life, with an interval of 90 %; undefined with fewer than four floors. */
  readonly perLife: Slope | undefined
}

export interface Slope {
  readonly slope: number
  readonly low: number
  readonly high: number
}

/** The slope of the floors since `fromMs`, over the lives until each. `lives` is their number over time. */
export function memoryBounds(instance: Instance, lives: readonly Point[], fromMs: number): MemoryBound[] {
  return (['heap', 'external'] as const).map((kind) => {
    const floors = floorsOf(instance, kind).filter(({ atMs }) => atMs >= fromMs)
    const byLives = floors.map(({ atMs, value }) => ({ atMs: Math.round(valueAt(lives, atMs)), value }))
    const values = floors.map(({ value }) => value)
    const { node } = instance
    return { node, kind, from: values[0] ?? 0, to: values.at(-1) ?? 0, floors: values, perLife: trendOf(byLives) }
  })
}
