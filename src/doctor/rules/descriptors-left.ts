import { growthFinding, growthIn } from '../judgement/counted-growth.ts'
import { thresholds } from '../judgement/thresholds.ts'
import type { Rule } from '../rule.ts'

const kinds = { file: 'files', pipe: 'pipes', other: 'devices and event queues' } as const

/** Open descriptors of files, pipes or devices: no load of the mesh needs more of them. */
export const descriptorsLeft: Rule = {
  name: 'descriptors-left',
  find: ({ instances }) =>
    instances.flatMap((instance) =>
      Object.entries(kinds).flatMap(([kind, what]) => {
        const found = growthIn(instance, { key: `mesh.audit.descriptors_${kind}`, ...thresholds.descriptors })
        if (found === undefined) return []
        const text = {
          disease: 'descriptors-left',
          part: `descriptors of ${what}`,
          what: `descriptors of ${what}`,
          unit: 'descriptors',
        } as const
        return [growthFinding(instance, found, text)]
      }),
    ),
}
