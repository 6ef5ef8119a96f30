import type { Evidence } from '../evidence/evidence.ts'
import { overdueOf } from './overdue-seeds.ts'
import { hasWrongIdentity, type SeedFailure, type SeedHistory, type SeedLine, seedHistories } from './seed-history.ts'

/** A seed that a node dials in vain up to the end, with the failures of its present outage. */
export interface FailingSeed {
  readonly history: SeedHistory
  readonly firstMs: number
  readonly lastMs: number
  /** Attempts of this outage, at least. */
  readonly attempts: number
  readonly hasGivenUp: boolean
}

/**
 * Seeds that nodes try to reach and do not. A retry that ended in success is no fault, and seeds that a node has stopped
 * dialling, or at which another identity answers, have rules of their own.
 */
export function failingSeeds(evidence: Evidence): FailingSeed[] {
  return evidence.instances.flatMap(seedHistories).flatMap((history) => {
    const { unresolved, reachedMs, instance } = history
    const [first, last] = [unresolved[0], unresolved.at(-1)]
    if (first === undefined || last === undefined || hasWrongIdentity(history)) return []
    if (overdueOf(history, evidence) !== undefined) return []
    // Of a lost attempt a later one of the same campaign knows, and so does the census.
    const firstMs = Math.max(reachedMs ?? first.campaignMs, first.campaignMs)
    const line = goesOnIn(history, last)
    return [
      {
        history,
        firstMs,
        lastMs: Math.max(last.endMs, line?.atMs ?? 0, Math.min(last.waitsUntilMs, instance.lastMs, instance.stopMs)),
        attempts: Math.max(unresolved.length, (line?.attempt ?? 0) - 1),
        hasGivenUp: line?.state === 'given-up' || unresolved.some(({ span }) => span.name === 'mesh.seed.giveup'),
      },
    ]
  })
}

/** The last census, if it has a later attempt of the same outage. */
function goesOnIn({ line }: SeedHistory, last: SeedFailure): SeedLine | undefined {
  if (line === undefined || line.atMs < last.endMs || !['waiting', 'dialling', 'given-up'].includes(line.state)) return
  return line.attempt > last.attempt ? line : undefined
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
