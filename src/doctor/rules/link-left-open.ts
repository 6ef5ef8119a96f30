import { type Instance, witnessOf } from '../evidence/instance.ts'
import type { Finding } from '../finding.ts'
import { partOf } from '../growth.ts'
import type { Rule } from '../rule.ts'

const openReasons = ['superseded-open', 'closing-open', 'refused-open', 'unsettled-old']

/** The node itself says that a pair has several open connections for more than ten seconds: an exact statement. */
export const linkLeftOpen: Rule = {
  name: 'link-left-open',
  find: ({ instances }) => instances.flatMap((instance) => findingOf(instance) ?? []),
}

function findingOf(instance: Instance): Finding | undefined {
  const broken = instance
    .spans('mesh.leak.suspected')
    .filter(({ attributes }) => attributes['mesh.invariant'] === 'one-link-per-pair')
  const last = broken.at(-1)
  if (last === undefined) return undefined
  const suspects = instance
    .spans('mesh.audit.suspect')
    .filter(({ attributes }) => openReasons.includes(String(attributes['mesh.suspect.reason'])))
  const { 'mesh.expected': expected, 'mesh.actual': actual } = last.attributes
  return {
    disease: 'link-left-open',
    owner: partOf(instance, 'connections'),
    certainty: 'certain',
    sinceMs: broken[0]?.startMs,
    summary: `${actual} open connections where ${expected} are needed, ${suspects.length} of them seen as suspects`,
    proof: [...broken.slice(0, 2), ...suspects.slice(0, 4)].map(witnessOf),
  }
}
