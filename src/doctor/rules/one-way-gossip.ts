import type { TraceSpan } from '../../traces/trace.ts'
import type { Evidence } from '../evidence/evidence.ts'
import { type Instance, witnessOf } from '../evidence/instance.ts'
import type { Finding } from '../finding.ts'
import { blameOf } from '../judgement/blame.ts'
import { pointsOf } from '../judgement/growth.ts'
import type { Rule } from '../rule.ts'

interface Mute {
  readonly mesh: string
  readonly by: string
  readonly about: string
  readonly span: TraceSpan
}

/**
 * A node says that gossip with a linked peer does not work although it healed it three times. Guests that never
 * subscribe to a topic are none of this: there was nothing to heal.
 */
export const oneWayGossip: Rule = {
  name: 'one-way-gossip',
  find: ({ instances }) => {
    const nameOf = new Map(instances.map(({ mesh, peer, node }) => [`${mesh} ${peer}`, node]))
    const mutes = instances.flatMap((instance) => mutesOf(instance, nameOf))
    return [...Map.groupBy(mutes, ({ mesh }) => mesh)].flatMap(([mesh, all]) => findingsOf(mesh, all, instances))
  },
}

function mutesOf(instance: Instance, nameOf: ReadonlyMap<string, string>): Mute[] {
  const { mesh, node } = instance
  return instance
    .spans('mesh.gossip.mute')
    .filter(({ attributes }) => Number(attributes['mesh.gossip.heals']) > 0)
    .map((span) => {
      const peer = String(span.attributes['mesh.peer.id'])
      return { mesh, by: node, about: nameOf.get(`${mesh} ${peer}`) ?? peer, span }
    })
}

function findingsOf(mesh: string, mutes: readonly Mute[], instances: Evidence['instances']): Finding[] {
  return blameOf(mutes).map(({ node, others, isAmbiguous }): Finding => {
    const own = mutes.filter(({ by, about }) => by === node || about === node)
    const lacks = new Set(own.map(({ by, span }) => `${span.attributes['mesh.gossip.lack']} at ${by}`))
    const [other = ''] = others
    // The pair is at fault for sure; of its two ends the one that misses something names the other.
    const guilty = isAmbiguous ? (own[0]?.about ?? node) : node
    const instance = instances.findLast((one) => one.mesh === mesh && one.node === guilty)
    const isStray = instances.some((one) => one.mesh === mesh && [node, ...others].includes(one.node) && hasStray(one))
    return {
      disease: 'one-way-gossip',
      owner: { mesh, node: guilty, instance: instance?.id ?? '', part: 'gossip' },
      certainty: isStray ? 'insufficient' : 'certain',
      sinceMs: Math.min(...own.map(({ span }) => span.startMs)),
      lastMs: Math.max(...own.map(({ span }) => span.startMs)),
      summary: `gossip with ${isAmbiguous ? [node, other].find((one) => one !== guilty) : others.join(', ')} does not work and heals did not help: ${[...lacks].join(', ')}`,
      proof: own.slice(0, 8).map(({ span }) => witnessOf(span)),
      alsoAt: [node, ...others].filter((one) => one !== guilty),
      ...(isStray && { missing: 'a time without connections that should be closed: they break gossip, too' }),
    }
  })
}

/** Whether a process had connections that should be closed, several of one peer for example, for two censuses. */
function hasStray(instance: Instance): boolean {
  const suspects = pointsOf(instance, 'mesh.audit.suspects')
  const isStated = instance
    .spans('mesh.leak.suspected')
    .some(({ attributes }) => attributes['mesh.invariant'] === 'one-link-per-pair')
  return isStated || suspects.some(({ value }, index) => value > 0 && (suspects[index + 1]?.value ?? 0) > 0)
}
