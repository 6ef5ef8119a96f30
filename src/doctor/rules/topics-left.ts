import type { Evidence } from '../evidence/evidence.ts'
import type { Instance } from '../evidence/instance.ts'
import type { Finding } from '../finding.ts'
import { growthFinding, growthIn } from '../judgement/counted-growth.ts'
import { partOf } from '../judgement/growth.ts'
import { processOf } from '../judgement/statements.ts'
import { thresholds } from '../judgement/thresholds.ts'
import type { Rule } from '../rule.ts'

const counts = [
  { key: 'mesh.audit.gossip.other_subscriptions', what: 'topics that it subscribes to past the mesh' },
  { key: 'mesh.audit.gossip.subscriptions', what: 'topics that it subscribes to' },
] as const

/**
 * Topics of one node fill the tables of all its neighbours. The node whose own subscriptions grow is the guilty one. If
 * its spans are absent, its neighbours name it: it subscribes to most topics.
 */
export const topicsLeft: Rule = {
  name: 'topics-left',
  find(evidence) {
    const affected = evidence.instances.filter(isAffected)
    const guilty = evidence.instances.flatMap((instance) => guiltyFinding(instance, affected) ?? [])
    const named = new Set(guilty.map(({ owner }) => owner.node))
    return guilty.length > 0 ? guilty : ownersOf(evidence, affected).filter(({ owner }) => !named.has(owner.node))
  },
}

/** Topics that a connected peer has: those without any are gossipsub’s own fault. */
function isAffected(instance: Instance): boolean {
  const keys = ['mesh.audit.gossip.topics', 'mesh.audit.gossip.most_topics']
  return keys.every((key) => growthIn(instance, { key, ...thresholds.topics })?.isShort === false)
}

function guiltyFinding(instance: Instance, affected: readonly Instance[]): Finding | undefined {
  for (const { key, what } of counts) {
    const found = growthIn(instance, { key, ...thresholds.topics })
    if (found === undefined) continue
    const neighbours = affected.filter((one) => one !== instance && mostTopicsPeer(one) === instance.peer)
    const alsoAt = [...new Set(neighbours.map(({ node }) => node))]
    const finding = growthFinding(instance, found, { disease: 'topics-left', part: 'topics', what, unit: 'topics' })
    return {
      ...finding,
      ...(alsoAt.length > 0 && {
        alsoAt,
        summary: `${finding.summary}, and those of ${alsoAt.length} neighbours with them`,
        proof: [...finding.proof, ...neighbours.flatMap(({ censuses }) => censuses.slice(-1))].slice(0, 8),
      }),
    }
  }
  return undefined
}

/** Peers that neighbours name, each with one finding at the first of them. */
function ownersOf(evidence: Evidence, affected: readonly Instance[]): Finding[] {
  const byPeer = Map.groupBy(affected, mostTopicsPeer)
  return [...byPeer].flatMap(([peer, [witness, ...others]]): Finding[] => {
    const found = witness && growthIn(witness, { key: 'mesh.audit.gossip.topics', ...thresholds.topics })
    if (found === undefined || witness === undefined || peer === '') return []
    const guilty = processOf(evidence, peer)
    const text = {
      disease: 'topics-left',
      part: 'topics',
      what: 'topics in its neighbours’ tables',
      unit: 'topics',
    } as const
    return [
      {
        ...growthFinding(witness, found, text),
        owner: guilty
          ? partOf(guilty, 'topics')
          : { mesh: witness.mesh, node: '', instance: '', part: `topics of peer ${peer}` },
        alsoAt: [witness, ...others].map(({ node }) => node),
      },
    ]
  })
}

function mostTopicsPeer(instance: Instance): string {
  return String(instance.text('mesh.audit.gossip.most_topics_peer') ?? '')
}
