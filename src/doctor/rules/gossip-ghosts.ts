import { type Instance, witnessOf } from '../evidence/instance.ts'
import type { Finding } from '../finding.ts'
import { partOf, pointsOf } from '../growth.ts'
import type { Rule } from '../rule.ts'
import { brokenSinceMs, numberOf, statementsOf } from '../statements.ts'

/** Peers in gossipsub’s tables that have no connection, and that its sweep has not removed: the node says so itself. */
export const gossipGhosts: Rule = {
  name: 'gossip-ghosts',
  find: ({ instances }) => instances.flatMap((instance) => findingOf(instance) ?? []),
}

function findingOf(instance: Instance): Finding | undefined {
  const [statement] = statementsOf(instance, 'gossip-peers-connected')
  if (statement === undefined) return undefined
  const { first, last } = statement
  const swept = pointsOf(instance, 'mesh.audit.gossip.swept_total')
  const removed = (swept.at(-1)?.value ?? 0) - (swept[0]?.value ?? 0)
  const ghosts = numberOf(last, 'mesh.actual') - numberOf(last, 'mesh.expected')
  return {
    disease: 'gossip-ghosts',
    owner: partOf(instance, 'tables of gossipsub'),
    certainty: 'certain',
    sinceMs: brokenSinceMs(statement),
    summary: `gossipsub lists ${ghosts} peers that have had no connection for more than 15 s; sweeps removed ${removed} peers`,
    proof: [first, last].map(witnessOf),
  }
}
