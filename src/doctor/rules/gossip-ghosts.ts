import { type Instance, witnessOf } from '../evidence/instance.ts'
import type { Finding } from '../finding.ts'
import { type CountedGrowth, growthFinding, growthIn, growthOfPoints } from '../judgement/counted-growth.ts'
import { partOf, pointsOf, valueAt } from '../judgement/growth.ts'
import { brokenSinceMs, numberOf, statementsOf } from '../judgement/statements.ts'
import { thresholds } from '../judgement/thresholds.ts'
import type { Rule } from '../rule.ts'

/** Tables with one entry per connected peer. */
const tables = {
  'mesh.audit.gossip_peers': 'peers',
  'mesh.audit.gossip.streams_in': 'inbound streams',
  'mesh.audit.gossip.streams_out': 'outbound streams',
} as const

/**
 * Peers in gossipsub’s tables that have no connection, and that its sweep has not removed: the node says so itself. Or
 * a table grows beyond the connections; or the table of topics, and no peer has them.
 */
export const gossipGhosts: Rule = {
  name: 'gossip-ghosts',
  find: ({ instances }) =>
    instances.flatMap((instance) => statedFinding(instance) ?? grownFinding(instance) ?? topicsFinding(instance) ?? []),
}

function grownFinding(instance: Instance): Finding | undefined {
  for (const [key, what] of Object.entries(tables)) {
    const found = growthIn(instance, { key, ...thresholds.gossip })
    if (found !== undefined) return ghostsIn(instance, found, `${what} of gossipsub`)
  }
  return undefined
}

/** Connected peers have at most as many topics as they are, times those of the peer with most. */
function topicsFinding(instance: Instance): Finding | undefined {
  const [most, peers] = ['mesh.audit.gossip.most_topics', 'mesh.audit.gossip_peers'].map((key) =>
    pointsOf(instance, key),
  )
  const unsubscribed = pointsOf(instance, 'mesh.audit.gossip.topics').map(({ atMs, value }) => ({
    atMs,
    value: Math.max(0, value - valueAt(most ?? [], atMs) * valueAt(peers ?? [], atMs)),
  }))
  const found = growthOfPoints(instance, unsubscribed, { ...thresholds.gossip, perConnection: 0 })
  return found && ghostsIn(instance, found, 'topics without a subscriber')
}

function ghostsIn(instance: Instance, found: CountedGrowth, what: string): Finding {
  return growthFinding(instance, found, {
    disease: 'gossip-ghosts',
    part: `tables of gossipsub: ${what}`,
    what,
    unit: 'entries',
  })
}

function statedFinding(instance: Instance): Finding | undefined {
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
