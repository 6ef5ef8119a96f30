import type { Instance } from '../evidence/instance.ts'
import type { Point } from '../evidence/series.ts'
import { judgeGrowth, pointsOf, type Rise, riseIn, valueAt } from './growth.ts'

/** Something that a process serves, and what it takes for each. */
export interface Load {
  readonly key: string
  /** A rise by less is no scale-out. */
  readonly least: number
  readonly per: number
}

/** Part of what was there that comes at least, where a mesh scales out. */
const leastPart = 0.5
/** The census before a rise has the load that came first. */
const censusMs = 30_000

export const connections = { key: 'mesh.audit.connections', least: 8 }

/**
 * What a load brings with it that rises as steadily as the count does, and by half at least: peers that join one after
 * the other, or messages that come faster and faster. Churn that goes up and down brings nothing.
 */
export function broughtBy(instance: Instance, { since, last }: Rise, loads: readonly Load[]): number {
  return loads.reduce((sum, { key, least, per }) => {
    const points = pointsOf(instance, key).filter(
      ({ atMs }) => atMs >= since.atMs - censusMs && atMs <= last.atMs + censusMs,
    )
    const more = riseIn(points, since.atMs, last.atMs)
    const isScaleOut = more >= Math.max(least, leastPart * valueAt(points, since.atMs))
    return isScaleOut && judgeGrowth(points, least).is !== 'level' ? sum + per * more : sum
  }, 0)
}

/** Whether such a load explains all of a rise. */
export function isOfLoad(instance: Instance, points: readonly Point[], rise: Rise, loads: readonly Load[]): boolean {
  return riseIn(points, rise.since.atMs, rise.last.atMs) <= broughtBy(instance, rise, loads)
}
