import { witnessOf } from '../evidence/instance.ts'
import type { Finding } from '../finding.ts'
import { hasWrongIdentity, type SeedHistory, seedHistories } from '../judgement/seed-history.ts'
import { ownerOfSeed } from '../judgement/seed-owner.ts'
import type { Rule } from '../rule.ts'

/** Another peer than the address names answers, since the seed was last reached. */
export const wrongIdentity: Rule = {
  name: 'wrong-identity',
  find: ({ instances }) => {
    const wrong = instances.flatMap(seedHistories).filter(hasWrongIdentity)
    return [...Map.groupBy(wrong, ({ instance, address }) => `${instance.mesh} ${address}`).values()].map(findingOf)
  },
}

function findingOf(histories: readonly SeedHistory[]): Finding {
  const failures = histories
    .flatMap(({ unresolved }) => unresolved)
    .filter(({ errorType }) => errorType === 'UnexpectedPeer')
  const inOrder = failures.toSorted((a, b) => a.startMs - b.startMs)
  const message = inOrder[0]?.span.attributes['mesh.error.message']
  return {
    disease: 'wrong-identity',
    ...ownerOfSeed(histories),
    certainty: 'certain',
    sinceMs: inOrder[0]?.startMs,
    summary: `${failures.length} attempts met another peer than the address names: ${message}`,
    proof: inOrder.slice(0, 8).map(({ span }) => witnessOf(span)),
  }
}
