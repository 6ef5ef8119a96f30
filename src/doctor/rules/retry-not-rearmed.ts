import type { Evidence } from '../evidence/evidence.ts'
import { witnessOf } from '../evidence/instance.ts'
import type { Finding } from '../finding.ts'
import { partOf } from '../judgement/growth.ts'
import { overdueOf } from '../judgement/overdue-seeds.ts'
import { type SeedHistory, seedHistories } from '../judgement/seed-history.ts'
import type { Rule } from '../rule.ts'
import { certaintyOf, isDialledOnce } from './seed-dialled-once.ts'

/** A seed that was given up or lost, or is in the middle of a campaign, and that the node does not dial any more. */
export const retryNotRearmed: Rule = {
  name: 'retry-not-rearmed',
  find: (evidence) =>
    evidence.instances.flatMap(seedHistories).flatMap((history) => findingOf(history, evidence) ?? []),
}

function findingOf(history: SeedHistory, evidence: Evidence): Finding | undefined {
  const overdue = isDialledOnce(history) ? undefined : overdueOf(history, evidence)
  if (overdue === undefined) return undefined
  const { instance, address, campaigns, failures } = history
  const last = failures.at(-1)
  const hasFailed = last !== undefined && last.endMs >= overdue.sinceMs
  const event = hasFailed ? `attempt ${last.attempt} failed` : 'the node lost its last peer'
  return {
    disease: 'retry-not-rearmed',
    owner: partOf(instance, `seed ${address}`),
    ...certaintyOf(overdue),
    sinceMs: overdue.sinceMs,
    summary: `${event} ${Math.round(overdue.silentMs / 1_000)} s before the end, and no attempt followed within ${overdue.allowedMs / 1_000} s`,
    proof: [...campaigns.slice(-2), ...failures.slice(-4).map(({ span }) => span)]
      .map(witnessOf)
      .concat(instance.censuses.slice(-1)),
  }
}
