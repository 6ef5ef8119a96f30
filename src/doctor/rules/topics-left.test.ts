import assert from 'node:assert/strict'
import { test } from 'node:test'
import { evidenceOf, growing, ProcessStory } from '../../testing/doctor/process-story.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { topicsLeft } from './topics-left.ts'

leakCheck()

const topics = growing(20, 60)
const guilty = () =>
  new ProcessStory('node-1').censuses(10, (s) => ({
    'mesh.audit.gossip.subscriptions': 2 + topics(s),
    'mesh.audit.gossip.other_subscriptions': topics(s),
  }))
const neighbour = (node: string, peer = 'peer-of-node-1') =>
  new ProcessStory(node).censuses(10, (s) => ({
    'mesh.audit.gossip.topics': 2 + topics(s),
    'mesh.audit.gossip.most_topics': 2 + topics(s),
    'mesh.audit.gossip.most_topics_peer': peer,
  }))

test('topics of one node in the tables of all: it is the owner, and its neighbours are named with it', () => {
  const findings = topicsLeft.find(evidenceOf([neighbour('node-2'), guilty(), neighbour('node-3')]))
  assert.deepEqual(
    findings.map(({ owner, alsoAt }) => [owner.node, alsoAt]),
    [['node-1', ['node-2', 'node-3']]],
  )
})

test('the guilty node exports no spans: its neighbours name its peer id', () => {
  const [finding] = topicsLeft.find(evidenceOf([neighbour('node-2', 'peer-x'), neighbour('node-3', 'peer-x')]))
  assert.equal(finding?.owner.part, 'topics of peer peer-x')
})

test('topics of an application that starts: nothing', () => {
  const story = new ProcessStory('node-1').censuses(10, (s) => ({ 'mesh.audit.gossip.subscriptions': Math.min(30, s) }))
  assert.deepEqual(topicsLeft.find(evidenceOf([story])), [])
})

test('topics that come and go: nothing', () => {
  const story = new ProcessStory('node-1').censuses(10, (s) => ({
    'mesh.audit.gossip.other_subscriptions': (s / 5) % 20,
  }))
  assert.deepEqual(topicsLeft.find(evidenceOf([story])), [])
})
