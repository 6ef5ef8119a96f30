import { witnessOf } from '../evidence/instance.ts'
import type { Finding } from '../finding.ts'
import { type FailingSeed, failingSeeds, stagesOf } from '../judgement/failing-seeds.ts'
import { ownerOfSeed } from '../judgement/seed-owner.ts'
import type { Rule } from '../rule.ts'

/** As the alert about a node that retries: a seed that starts late is reached earlier. */
const leastFailingMs = 120_000
const leastFailures = 3

/** A seed that has not answered any attempt for two minutes, or was given up. */
export const seedUnreachable: Rule = {
  name: 'seed-unreachable',
  find: (evidence) => {
    const failing = failingSeeds(evidence).filter(isLong)
    return [...Map.groupBy(failing, ({ history }) => `${history.instance.mesh} ${history.address}`).values()].map(
      findingOf,
    )
  },
}

function isLong({ firstMs, lastMs, hasGivenUp, attempts }: FailingSeed): boolean {
  return hasGivenUp || (lastMs - firstMs >= leastFailingMs && attempts >= leastFailures)
}

function findingOf(failing: readonly FailingSeed[]): Finding {
  const histories = failing.map(({ history }) => history)
  const attempts = failing.reduce((sum, one) => sum + one.attempts, 0)
  return {
    disease: 'seed-unreachable',
    ...ownerOfSeed(histories),
    certainty: 'certain',
    sinceMs: Math.min(...failing.map(({ firstMs }) => firstMs)),
    summary: `${attempts} attempts of ${failing.length} node${failing.length > 1 ? 's' : ''} failed and none succeeded since: ${stagesOf(failing)}`,
    proof: failing
      .flatMap(({ history }) => history.unresolved.slice(-3))
      .slice(0, 8)
      .map(({ span }) => witnessOf(span)),
  }
}
