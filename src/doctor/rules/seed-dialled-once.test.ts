import assert from 'node:assert/strict'
import { test } from 'node:test'
import { brief, findIn, Life } from '../../testing/doctor/life.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { seedDialledOnce } from './seed-dialled-once.ts'
import { seedUnreachable } from './seed-unreachable.ts'

leakCheck()

const seed = '/ip4/10.0.0.1/udp/4001/quic-v1'
const overdue = [`${seed} waiting 1 1/10 0`]

test('one failed attempt and none in the minutes after: likely, and not unreachable', () => {
  const life = new Life('a').failing(0, seed, 1).censuses(5, 200, 0, overdue)
  const [finding] = findIn(seedDialledOnce, [life])
  assert.equal(finding && brief(finding), `likely a: seed ${seed}`)
  assert.match(finding?.summary ?? '', /dialled once in vain \(dial, TimeoutError\)/)
  assert.deepEqual(findIn(seedUnreachable, [life]), [])
})

test('one attempt whose result never came: likely', () => {
  const life = new Life('a').campaign(0, seed).censuses(5, 200, 0, [`${seed} dialling 1 1/10 -`])
  assert.match(findIn(seedDialledOnce, [life])[0]?.summary ?? '', /dialled once without a result/)
})

test('no span of the seed arrived, and the last census still has its first attempt: likely', () => {
  const life = new Life('a').campaign(0, seed).censuses(5, 200, 0, [`${seed} dialling 1 1/10 -`])
  assert.deepEqual(findIn(seedDialledOnce, [life.without('mesh.seed.dial')]).map(brief), [`likely a: seed ${seed}`])
})

test('spans are missing and the census has later attempts: nothing', () => {
  const life = new Life('a').failing(0, seed, 9).censuses(5, 200, 0, [`${seed} dialling 1 9/10 -`])
  life.spans.splice(2, 8)
  assert.deepEqual(findIn(seedDialledOnce, [life]), [])
})

test('spans are missing and no census has the seeds: not enough evidence', () => {
  const life = new Life('a').failing(0, seed, 1).reached(20, seed).censuses(5, 200, 1).without('mesh.seed.connected')
  const [finding] = findIn(seedDialledOnce, [life])
  assert.equal(finding?.certainty, 'insufficient')
  assert.match(finding?.missing ?? '', /1 spans of a/)
})

test('the span of the success is missing, and the census has it: nothing', () => {
  const connected = [`${seed} connected 1 2/10 -`]
  const life = new Life('a').failing(0, seed, 1).reached(20, seed).censuses(5, 200, 1, connected)
  assert.deepEqual(findIn(seedDialledOnce, [life.without('mesh.seed.connected')]), [])
})

test('a seed that starts late: nothing', () => {
  assert.deepEqual(
    findIn(seedDialledOnce, [new Life('a').failing(0, seed, 1).reached(3, seed).censuses(5, 200, 1)]),
    [],
  )
})

test('an attempt shortly before the end, or before a long sleep: nothing', () => {
  assert.deepEqual(findIn(seedDialledOnce, [new Life('a').failing(0, seed, 1).censuses(5, 65, 0)]), [])
  const sleeper = new Life('a').failing(0, seed, 1).span('mesh.node.stalled', 200, { 'mesh.stall.slept_ms': 195_000 })
  assert.deepEqual(findIn(seedDialledOnce, [sleeper.censuses(201, 202, 0, overdue)]), [])
})

test('a second process has the identity of the node, so that it dials rarely: nothing', () => {
  const life = new Life('a').failing(0, seed, 1).span('mesh.identity.conflict', 10, {}).censuses(5, 200, 0, overdue)
  assert.deepEqual(findIn(seedDialledOnce, [life]), [])
})

test('the same, of which the node’s own word is missing: another node’s, or the spans of both processes, show it', () => {
  const life = new Life('a').failing(0, seed, 1).censuses(5, 200, 0, overdue)
  const witness = new Life('b').censuses(5, 200, 1).span('mesh.identity.conflict', 10, { 'mesh.peer.id': 'peer-a' })
  assert.deepEqual(findIn(seedDialledOnce, [life, witness]), [])
  const copy = new Life('copy', { peer: 'peer-a' }).censuses(65, 200, 1)
  assert.deepEqual(findIn(seedDialledOnce, [life, copy]), [])
})
