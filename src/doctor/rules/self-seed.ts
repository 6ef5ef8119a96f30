import type { Evidence } from '../evidence/evidence.ts'
import { type Instance, witnessOf } from '../evidence/instance.ts'
import type { Finding } from '../finding.ts'
import { hasStopped, withoutPeersSince } from '../judgement/absence.ts'
import { partOf } from '../judgement/growth.ts'
import { type SeedHistory, seedHistories } from '../judgement/seed-history.ts'
import type { Rule } from '../rule.ts'

/** As long as the alert about a node without links waits. */
const leastAloneMs = 120_000

/**
 * A node says that a seed is the node itself. Where all nodes have one list, each seed finds itself there, and it harms
 * nothing; so it is a fault only if no other node dials that address, or the node has no other seed and no peer.
 */
export const selfSeed: Rule = {
  name: 'self-seed',
  find: (evidence) => evidence.instances.flatMap((instance) => findingOf(instance, evidence) ?? []),
}

function findingOf(instance: Instance, { instances }: Evidence): Finding | undefined {
  const histories = seedHistories(instance)
  const own = histories.filter(isSelf)
  const [first] = own
  if (first === undefined || hasStopped(instance)) return undefined
  const others = instances.filter((one) => one.mesh === instance.mesh && one.peer !== instance.peer)
  const isShort = others.every(({ firstMs, lastMs }) => lastMs - firstMs < leastAloneMs)
  // It may be the first seed of a mesh that has just begun.
  if (isShort && instance.role === 'seed') return undefined
  const strange = own.find(({ address }) => !isListedBy(others, address))
  const isHelpless = own.length === histories.length && isAlone(instance)
  if (!isHelpless && (strange === undefined || isShort)) return undefined
  const { address } = isHelpless ? first : (strange ?? first)
  const stated = instance.spans('mesh.seed.self')
  return {
    disease: 'self-seed',
    owner: partOf(instance, `seed ${address}`),
    certainty: 'certain',
    sinceMs: stated[0]?.startMs,
    summary: isHelpless
      ? `${address} is the node itself, it has no other seed, and it is without peers`
      : `${address} is the node itself, and no other node has that seed`,
    proof: [...stated.slice(0, 4).map(witnessOf), ...instance.censuses.slice(-1)],
  }
}

/** The node says so once, and in each census but during an attempt. */
function isSelf({ instance, address, line, unresolved }: SeedHistory): boolean {
  if (line?.state === 'self') return true
  const stated = instance.spans('mesh.seed.self').some(({ attributes }) => attributes['mesh.seed.address'] === address)
  return stated && line?.state !== 'connected' && unresolved.length === 0
}

function isListedBy(others: readonly Instance[], address: string): boolean {
  return others.some((one) => seedHistories(one).some((history) => history.address === address))
}

function isAlone(instance: Instance): boolean {
  const aloneMs = withoutPeersSince(instance)
  const hasReached = instance.countOf('mesh.seed.connected') > 0
  return aloneMs !== undefined && !hasReached && instance.lastMs - aloneMs >= leastAloneMs
}
