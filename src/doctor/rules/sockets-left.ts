import type { Instance } from '../evidence/instance.ts'
import type { Point } from '../evidence/series.ts'
import type { Finding } from '../finding.ts'
import { growthFinding, growthOfPoints } from '../judgement/counted-growth.ts'
import { churnOf, pointsOf, valueAt } from '../judgement/growth.ts'
import type { Rule } from '../rule.ts'

const kinds = ['udp', 'tcp', 'unix'] as const
/** A dial has a socket of its own for a while. */
const leastRise = 12
const perConnection = 2
/** The native part of QUIC closes a socket only when the collector frees its JavaScript side. */
const perOpened = 1.5

/** Open sockets of one kind, beyond those of the connections, and of connections that wait for a collection. */
export const socketsLeft: Rule = {
  name: 'sockets-left',
  find: ({ instances }) => instances.flatMap((instance) => kinds.flatMap((kind) => findingOf(instance, kind) ?? [])),
}

function findingOf(instance: Instance, kind: (typeof kinds)[number]): Finding | undefined {
  const limits = { least: leastRise, perConnection }
  const points = pointsOf(instance, `mesh.audit.sockets_${kind}`)
  const found = growthOfPoints(instance, points, limits)
  if (found === undefined) return undefined
  const { rise } = found
  const sockets = valueAt(points, rise.last.atMs) - valueAt(points, rise.since.atMs)
  const text = {
    disease: 'sockets-left',
    part: `${kind} sockets`,
    what: `open ${kind} sockets`,
    unit: 'sockets',
  } as const
  if (sockets > perOpened * churnOf(instance, rise) + leastRise) return growthFinding(instance, found, text)
  const collected = growthOfPoints(instance, afterCollections(instance, points), limits)
  return collected && growthFinding(instance, collected, text)
}

/** The counts of censuses before which there was a major collection. */
function afterCollections(instance: Instance, points: readonly Point[]): readonly Point[] {
  const collections = pointsOf(instance, 'mesh.memory.major_gcs_total')
  return points.filter(({ atMs }, index) => {
    const before = points[index - 1]
    return before !== undefined && valueAt(collections, atMs) > valueAt(collections, before.atMs)
  })
}
