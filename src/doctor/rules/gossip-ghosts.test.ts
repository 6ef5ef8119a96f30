import assert from 'node:assert/strict'
import { test } from 'node:test'
import { evidenceOf, ProcessStory } from '../../testing/doctor/process-story.ts'
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
