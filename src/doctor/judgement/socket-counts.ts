import type { Instance } from '../evidence/instance.ts'
import type { Point } from '../evidence/series.ts'
import { type CountedGrowth, growthOfPoints } from './counted-growth.ts'
import { churnOf, pointsOf, riseIn, valueAt } from './growth.ts'
import { thresholds } from './thresholds.ts'

const kinds = ['udp', 'tcp', 'unix'] as const
/** The native part of QUIC closes a socket only when the collector frees its JavaScript side. */
const perOpened = 1.5

/** Sockets of one kind that grow. */
export interface GrownSockets {
  readonly kind: (typeof kinds)[number]
  readonly found: CountedGrowth
}

/** Open sockets beyond those of the connections, and of connections that wait for a collection. */
export function grownSockets(instance: Instance): GrownSockets[] {
  return kinds.flatMap((kind): GrownSockets[] => {
    const limits = thresholds.sockets
    const points = pointsOf(instance, `mesh.audit.sockets_${kind}`)
    const grown = growthOfPoints(instance, points, limits)
    if (grown === undefined) return []
    const { rise } = grown
    const sockets = riseIn(points, rise.since.atMs, rise.last.atMs)
    const isMore = sockets > perOpened * churnOf(instance, rise) + limits.least
    const found = isMore ? grown : growthOfPoints(instance, afterCollections(instance, points), limits)
    return found === undefined ? [] : [{ kind, found }]
  })
}

/** The counts of censuses before which there was a major collection. */
function afterCollections(instance: Instance, points: readonly Point[]): readonly Point[] {
  const collections = pointsOf(instance, 'mesh.memory.major_gcs_total')
  return points.filter(({ atMs }, index) => {
    const before = points[index - 1]
    return before !== undefined && valueAt(collections, atMs) > valueAt(collections, before.atMs)
  })
}
