import { type Instance, witnessOf } from '../evidence/instance.ts'
import type { Finding } from '../finding.ts'
import { growthFinding, growthOfPoints } from '../judgement/counted-growth.ts'
import { beyondLoad, churnOf, partOf, pointsOf, valueAt } from '../judgement/growth.ts'
import { brokenSinceMs, numberOf, statementsOf } from '../judgement/statements.ts'
import { thresholds } from '../judgement/thresholds.ts'
import type { Rule } from '../rule.ts'

/** Two sweeps, one every two minutes: what the first one had to spare is gone with the second. */
const twoSweepsMs = 270_000

/**
 * Records of peers that nobody needs: the sweep has judged none for two intervals, as the node itself says; or the
 * records rise by more than the peers that came explain, or over more than two sweeps.
 */
export const peerStoreUnswept: Rule = {
  name: 'peer-store-unswept',
  find: ({ instances }) => instances.flatMap((instance) => statedFinding(instance) ?? grownFinding(instance) ?? []),
}

function statedFinding(instance: Instance): Finding | undefined {
  const [statement] = statementsOf(instance, 'peer-store-swept')
  if (statement === undefined) return undefined
  const { first, last } = statement
  const sweeps = instance.spans('mesh.peerstore.swept')
  return {
    disease: 'peer-store-unswept',
    owner: partOf(instance, 'peer store'),
    certainty: 'certain',
    sinceMs: brokenSinceMs(statement),
    summary: `the peer store has ${numberOf(last, 'mesh.actual')} records where ${numberOf(last, 'mesh.expected')} are needed, and no sweep has judged all of them`,
    proof: [first, last, ...sweeps.slice(-2)].map(witnessOf),
  }
}

function grownFinding(instance: Instance): Finding | undefined {
  // The sweep keeps the records of the DHT’s table.
  const records = beyondLoad(instance, pointsOf(instance, 'mesh.audit.peer_store'), 1, 'mesh.audit.dht_rt')
  const found = growthOfPoints(instance, records, thresholds.records)
  if (found === undefined) return undefined
  const { points, rise } = found
  const more = valueAt(points, rise.last.atMs) - valueAt(points, rise.since.atMs)
  const { least, perConnection } = thresholds.records
  const explained = perConnection * churnOf(instance, rise) + least
  if (more <= explained && rise.last.atMs - rise.since.atMs < twoSweepsMs) return undefined
  return growthFinding(instance, found, {
    disease: 'peer-store-unswept',
    part: 'peer store',
    what: 'records of the peer store',
    unit: 'records',
  })
}
