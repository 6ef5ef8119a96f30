import type { Instance } from '../evidence/instance.ts'
import type { Finding } from '../finding.ts'
import { partOf, pointsOf } from '../judgement/growth.ts'
import type { Rule } from '../rule.ts'

const list = 'mesh.audit.limits '
/** Censuses in a row with a count above its limit: a refused connection is counted until it has closed. */
const leastCensuses = 3

/** Scopes that hold more than their limit. A limit that is off by intention has no number, and is no finding. */
export const limitsOff: Rule = {
  name: 'limits-off',
  find: ({ instances }) => instances.flatMap(findingsOf),
}

function findingsOf(instance: Instance): Finding[] {
  return instance.seriesOf(list).flatMap(([key]): Finding[] => {
    if (!key.endsWith(' usage')) return []
    const name = key.slice(list.length, -' usage'.length)
    const limit = pointsOf(instance, `${list}${name} limit`).at(-1)?.value
    const usage = pointsOf(instance, key, 'none')
    if (limit === undefined) return []
    const above = usage.slice(usage.findLastIndex(({ value }) => value <= limit) + 1)
    const last = above.at(-1)
    if (above.length < leastCensuses || last === undefined) return []
    return [
      {
        disease: 'limits-off',
        owner: partOf(instance, `limit ${name}`),
        certainty: 'certain',
        sinceMs: above[0]?.atMs,
        summary: `${last.value} in use where the limit is ${limit}, for ${above.length} censuses`,
        proof: instance.censuses,
      },
    ]
  })
}
