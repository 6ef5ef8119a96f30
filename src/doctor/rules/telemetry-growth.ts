import { growthFinding, growthIn } from '../judgement/counted-growth.ts'
import { thresholds } from '../judgement/thresholds.ts'
import type { Rule } from '../rule.ts'

/** The export queue grows although spans arrive: the node produces more than its receiver accepts. */
export const telemetryGrowth: Rule = {
  name: 'telemetry-growth',
  find: ({ instances }) =>
    instances.flatMap((instance) => {
      const found = growthIn(instance, { key: 'mesh.telemetry.queued', ...thresholds.queue })
      if (found === undefined) return []
      const text = { disease: 'telemetry-growth', part: 'export queue', what: 'queued spans', unit: 'spans' } as const
      return [growthFinding(instance, found, text)]
    }),
}
