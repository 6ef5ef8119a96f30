import type { Instance } from '../evidence/instance.ts'
import type { Finding } from '../finding.ts'
import { growthFinding, growthOfPoints } from '../judgement/counted-growth.ts'
import { pointsOf, valueAt } from '../judgement/growth.ts'
import { thresholds } from '../judgement/thresholds.ts'
import type { Rule } from '../rule.ts'

/** Timers of the process, those that keep it alive and those that do not, beyond what its connections need. */
export const timersLeft: Rule = {
  name: 'timers-left',
  find: ({ instances }) => instances.flatMap((instance) => findingOf(instance) ?? []),
}

function findingOf(instance: Instance): Finding | undefined {
  const unreferenced = pointsOf(instance, 'mesh.audit.timers_unref')
  const points = pointsOf(instance, 'mesh.audit.timers').map(({ atMs, value }) => ({
    atMs,
    value: value + valueAt(unreferenced, atMs),
  }))
  const found = growthOfPoints(instance, points, thresholds.timers)
  if (found === undefined) return undefined
  const text = { disease: 'timers-left', part: 'timers', what: 'timers of the process', unit: 'timers' } as const
  return growthFinding(instance, found, text)
}
