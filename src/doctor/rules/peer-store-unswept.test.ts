import assert from 'node:assert/strict'
import { test } from 'node:test'
import { evidenceOf, growing, ProcessStory, processWith } from '../../testing/doctor/process-story.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { peerStoreUnswept } from './peer-store-unswept.ts'

leakCheck()

const withRecords = (recordsAt: (seconds: number) => number, churn = 0, minutes = 10) =>
  processWith(
    (s) => ({ 'mesh.audit.peer_store': recordsAt(s), 'mesh.audit.opened_total': 4 + Math.round(churn * s) }),
    minutes,
  )
const find = (story: ProcessStory) => peerStoreUnswept.find(evidenceOf([story]))

test('more records than peers that came: within three minutes', () => {
  const [finding] = find(withRecords(growing(120), 0.1, 3))
  assert.deepEqual([finding?.certainty, finding?.owner.part], ['likely', 'peer store'])
})

test('records of peers that left, over more than two sweeps: likely', () => {
  assert.equal(find(withRecords((s) => 4 + Math.round(s / 4), 0.25)).length, 1)
})

test('the node says that its sweep judged no records: certain', () => {
  const story = new ProcessStory('node-1').censuses(10).broken('peer-store-swept', 'peer store', 305, 605)
  assert.equal(find(story)[0]?.certainty, 'certain')
})

test('records of peers that left, until the next sweep: nothing', () => {
  assert.deepEqual(find(withRecords((s) => 4 + Math.round((s % 120) / 4), 0.25)), [])
})

test('records of peers that left, before the second sweep: nothing', () => {
  assert.deepEqual(find(withRecords((s) => 4 + Math.round(s / 4), 0.25, 3)), [])
})

test('records of peers that join: nothing', () => {
  const story = processWith((s) => ({ 'mesh.audit.connections': s, 'mesh.audit.peer_store': s }))
  assert.deepEqual(find(story), [])
})

test('records of a DHT’s table that fills: nothing', () => {
  assert.deepEqual(find(processWith((s) => ({ 'mesh.audit.dht_rt': s, 'mesh.audit.peer_store': 4 + s }))), [])
})
