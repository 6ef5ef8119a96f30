import { type Instance, witnessOf } from '../evidence/instance.ts'
import type { Finding } from '../finding.ts'
import { growthFinding, growthIn } from '../judgement/counted-growth.ts'
import { partOf } from '../judgement/growth.ts'
import { brokenSinceMs, statementsOf } from '../judgement/statements.ts'
import { thresholds } from '../judgement/thresholds.ts'
import type { Rule } from '../rule.ts'

const list = 'mesh.audit.owned '

/** What owners adopted and did not release, by owner and kind; and counts of owners that do not add up. */
export const ownedLeft: Rule = {
  name: 'owned-left',
  find: ({ instances }) => instances.flatMap((instance) => [...statedFindings(instance), ...grownFindings(instance)]),
}

function statedFindings(instance: Instance): Finding[] {
  return statementsOf(instance, 'owned-conserved').map((statement) => {
    const { 'mesh.expected': expected, 'mesh.actual': actual } = statement.last.attributes
    return {
      disease: 'owned-left',
      owner: partOf(instance, 'all owners'),
      certainty: 'certain',
      sinceMs: brokenSinceMs(statement),
      summary: `owners hold ${actual} timers, resources and children where adopted less released is ${expected}`,
      proof: [statement.first, statement.last].map(witnessOf),
    }
  })
}

function grownFindings(instance: Instance): Finding[] {
  return instance.seriesOf(list).flatMap(([key]): Finding[] => {
    const found = growthIn(instance, { key, isLine: true, ...thresholds.owned })
    if (found === undefined) return []
    const words = key.slice(list.length, -' held'.length).split(' ')
    const [owner, kind] = [words.slice(0, -1).join(' '), words.at(-1)]
    const text = {
      disease: 'owned-left',
      part: `${kind}s of ${owner}`,
      what: `its ${kind}s`,
      unit: `${kind}s`,
    } as const
    return [growthFinding(instance, found, text)]
  })
}
