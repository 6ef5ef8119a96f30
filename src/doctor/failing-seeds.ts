import type { Evidence } from './evidence/evidence.ts'
import { overdueOf } from './overdue-seeds.ts'
import { hasWrongIdentity, type SeedHistory, seedHistories } from './seed-history.ts'

/** A seed that a node dials in vain up to the end, with the failures of its present outage. */
export interface FailingSeed {
  readonly history: SeedHistory
  readonly firstMs: number
  readonly lastMs: number
  readonly hasGivenUp: boolean
}

/**
 * Seeds that nodes try to reach and do not. A retry that ended in success is no fault, and seeds that a node has stopped
 * dialling, or at which another identity answers, have rules of their own.
 */
export function failingSeeds(evidence: Evidence): FailingSeed[] {
  return evidence.instances.flatMap(seedHistories).flatMap((history) => {
    const { unresolved } = history
    const [first, last] = [unresolved[0], unresolved.at(-1)]
    if (first === undefined || last === undefined || hasWrongIdentity(history)) return []
    if (overdueOf(history, evidence) !== undefined) return []
    const hasGivenUp = unresolved.some(({ span }) => span.name === 'mesh.seed.giveup')
    // Of a lost attempt a later one of the same campaign knows.
    const firstMs = Math.max(history.reachedMs ?? first.campaignMs, first.campaignMs)
    return [{ history, firstMs, lastMs: last.endMs, hasGivenUp }]
  })
}

/** The stages at which the attempts failed, the most frequent first: `dial TimeoutError (9), resolve ENOTFOUND (1)`. */
export function stagesOf(seeds: readonly FailingSeed[]): string {
  const failures = seeds.flatMap(({ history }) => history.unresolved)
  const kinds = Map.groupBy(failures, ({ stage, errorType }) => `${stage} ${errorType}`)
  return [...kinds]
    .toSorted(([, a], [, b]) => b.length - a.length)
    .map(([kind, { length }]) => `${kind} (${length})`)
    .join(', ')
}
