import type { Evidence } from '../evidence/evidence.ts'
import { witnessOf } from '../evidence/instance.ts'
import type { Finding } from '../finding.ts'
import { partOf } from '../judgement/growth.ts'
import { type Overdue, overdueOf } from '../judgement/overdue-seeds.ts'
import { type SeedHistory, seedHistories } from '../judgement/seed-history.ts'
import type { Rule } from '../rule.ts'

/** A seed that the node dialled a single time, in vain or without any result, although further attempts were due. */
export const seedDialledOnce: Rule = {
  name: 'seed-dialled-once',
  find: (evidence) =>
    evidence.instances.flatMap(seedHistories).flatMap((history) => findingOf(history, evidence) ?? []),
}

/** Whether all that is known of this seed is one attempt. */
export function isDialledOnce({ campaigns, failures, reachedMs, line }: SeedHistory): boolean {
  const isOnce = line === undefined || (line.campaign === 1 && line.attempt === 1)
  const attempts = [campaigns.length, failures.length, ...failures.map(({ attempt }) => attempt)]
  return reachedMs === undefined && isOnce && Math.max(...attempts) <= 1
}

function findingOf(history: SeedHistory, evidence: Evidence): Finding | undefined {
  const overdue = isDialledOnce(history) ? overdueOf(history, evidence) : undefined
  if (overdue === undefined) return undefined
  const { instance, address, campaigns, failures } = history
  const [failure] = failures
  const outcome = failure === undefined ? 'without a result' : `in vain (${failure.stage}, ${failure.errorType})`
  return {
    disease: 'seed-dialled-once',
    owner: partOf(instance, `seed ${address}`),
    ...certaintyOf(overdue),
    sinceMs: campaigns[0]?.startMs ?? failure?.startMs ?? overdue.sinceMs,
    summary: `dialled once ${outcome}, and never again in the ${Math.round(overdue.silentMs / 1_000)} s since`,
    proof: [...campaigns, ...failures.map(({ span }) => span)].map(witnessOf).concat(instance.censuses.slice(-1)),
  }
}

/** A missing span is only evidence if no span is missing. */
export function certaintyOf({ missing }: Overdue): Pick<Finding, 'certainty' | 'missing'> {
  return missing === undefined ? { certainty: 'likely' } : { certainty: 'insufficient', missing }
}
