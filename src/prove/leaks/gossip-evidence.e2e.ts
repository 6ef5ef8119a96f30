import { type NodeProcess, startCluster } from '../../testing/cluster/cluster.ts'
import { endToEnd } from '../end-to-end.ts'
import { numberOf, spansNamed, timeUntil } from '../evidence.ts'
import { promptSpans, waitForFullMesh } from '../mesh/mesh.ts'
import { atMost, equals } from '../proof.ts'

const shownMs = 60_000
const fewestTopics = 5

export const proof = endToEnd({
  name: 'gossip-evidence',
  about:
    'planted ghosts in gossipsub’s mesh, and topics that an application subscribes to past the mesh: the spans of the guilty node name them within 60 s, its neighbours name it, and a clean node shows neither',
  quick: false,
  seconds: 45,
  async run({ progress, signal }) {
    await using cluster = await startCluster(promptSpans)
    const { spans } = cluster.receiver
    const clean = await cluster.node('clean', { role: 'seed' })
    const seeds = [cluster.address('clean')]
    const haunted = await cluster.node('haunted', { seeds, env: { MESH_FAULTS: 'keep-ghosts' } })
    const chatty = await cluster.node('chatty', { seeds, env: { MESH_FAULTS: 'grow-topics' } })
    const nodes = [clean, haunted, chatty]
    await waitForFullMesh(nodes, 30_000)
    progress('three nodes are linked')
    const audits = (node: NodeProcess) => spansNamed(spans, 'mesh.audit', node.name)
    const suspicions = (node: NodeProcess) =>
      spansNamed(spans, 'mesh.leak.suspected', node.name).filter(
        ({ attributes }) => attributes['mesh.invariant'] === 'gossip-peers-connected',
      )
    const others = (node: NodeProcess) =>
      Math.max(0, ...audits(node).map((audit) => numberOf(audit, 'mesh.audit.gossip.other_subscriptions') || 0))
    const namesChatty = (node: NodeProcess) =>
      audits(node).some(
        (audit) =>
          audit.attributes['mesh.audit.gossip.most_topics_peer'] === chatty.peer &&
          numberOf(audit, 'mesh.audit.gossip.most_topics') > fewestTopics,
      )
    const [ghostsMs, topicsMs, namedMs] = await Promise.all([
      timeUntil(shownMs, () => suspicions(haunted).length > 0, signal),
      timeUntil(shownMs, () => others(chatty) >= fewestTopics, signal),
      timeUntil(shownMs, () => namesChatty(clean), signal),
    ])
    const [suspicion] = suspicions(haunted)
    const ids = suspicion?.attributes['mesh.invariant.ids']
    const figures = {
      ghostsMs,
      topicsMs,
      namedMs,
      ids,
      others: Object.fromEntries(nodes.map((node) => [node.name, others(node)])),
    }
    const checks = [
      atMost('ghosts: time until the node suspects its gossipsub', shownMs, ghostsMs, 'ms'),
      equals('ghosts: the owner in the span', 'gossipsub', String(suspicion?.attributes['mesh.invariant.owner'])),
      equals(
        'ghosts: the span has their ids',
        true,
        Array.isArray(ids) && ids.every((id) => String(id).startsWith('ghost-')),
      ),
      atMost('topics: time until the census of the guilty node counts them', shownMs, topicsMs, 'ms'),
      atMost('topics: time until its neighbour names it', shownMs, namedMs, 'ms'),
      equals('suspicions of nodes without ghosts', 0, suspicions(clean).length + suspicions(chatty).length),
      equals('topics past the mesh at the others', 0, others(clean) + others(haunted)),
    ]
    return { figures, checks }
  },
})
