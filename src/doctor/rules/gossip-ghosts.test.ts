import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cleanCounts, evidenceOf, growing, ProcessStory } from '../../testing/doctor/process-story.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { gossipGhosts } from './gossip-ghosts.ts'

leakCheck()

const story = () => new ProcessStory('node-1').censuses(5)

test('peers without a connection that stay in gossipsub: certain', () => {
  const findings = gossipGhosts.find(evidenceOf([story().broken('gossip-peers-connected', 'gossipsub', 95, 275)]))
  assert.deepEqual(
    findings.map(({ certainty, owner }) => [certainty, owner.part]),
    [['certain', 'tables of gossipsub']],
  )
  assert.match(findings[0]?.summary ?? '', /2 peers/)
})

test('peers that the next sweeps removed: nothing', () => {
  assert.deepEqual(gossipGhosts.find(evidenceOf([story().broken('gossip-peers-connected', 'gossipsub', 35, 95)])), [])
})

test('another invariant that is broken: nothing', () => {
  assert.deepEqual(gossipGhosts.find(evidenceOf([story().broken('one-link-per-pair', 'ledger', 95, 275)])), [])
})

test('a clean mesh: nothing', () => {
  assert.deepEqual(gossipGhosts.find(evidenceOf([story()])), [])
})

test('outbound streams of gossipsub beyond the connections: the table is named', () => {
  const [finding] = gossipGhosts.find(
    evidenceOf([
      new ProcessStory('node-1').censuses(10, (s) => ({ 'mesh.audit.gossip.streams_out': 4 + growing(10)(s) })),
    ]),
  )
  assert.equal(finding?.owner.part, 'tables of gossipsub: outbound streams of gossipsub')
})

test('topics that no peer subscribes to: the table of topics is named', () => {
  const topics = (s: number) => ({ 'mesh.audit.gossip.topics': 2 + growing(20)(s) })
  const [finding] = gossipGhosts.find(evidenceOf([new ProcessStory('node-1').censuses(10, topics)]))
  assert.equal(finding?.owner.part, 'tables of gossipsub: topics without a subscriber')
})

test('topics of a neighbour: nothing', () => {
  const topics = (s: number) => ({
    'mesh.audit.gossip.topics': 2 + growing(10)(s),
    'mesh.audit.gossip.most_topics': 2 + growing(10)(s),
  })
  assert.deepEqual(gossipGhosts.find(evidenceOf([new ProcessStory('node-1').censuses(10, topics)])), [])
})

test('peers that join, each with a topic of its own: nothing', () => {
  const joining = (s: number) => {
    const connections = Math.round(s / 10)
    return { ...cleanCounts({ connections }), 'mesh.audit.gossip.topics': 1 + connections }
  }
  assert.deepEqual(gossipGhosts.find(evidenceOf([new ProcessStory('node-1').censuses(10, joining)])), [])
})
