import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { StreamCheck } from './stream-check.ts'

leakCheck()

const ping = '/ipfs/ping/1.0.0'

test('a check that opens its stream: the next one is due 8 s later', () => {
  const check = new StreamCheck(1_000)
  assert.equal(check.dueAt, 9_000)
  assert.ok(check.begin(9_000))
  assert.equal(check.dueAt, Infinity)
  assert.equal(check.end(true, 9_010), undefined)
  assert.equal(check.dueAt, 17_010)
})

test('a check whose stream does not open: the wait, from the check', () => {
  const check = new StreamCheck(0)
  check.begin(8_000)
  assert.deepEqual(check.end(false, 13_000), { protocol: ping, waitedMs: 5_000 })
})

test('a slow stream: its check tells its protocol and the whole wait, and a second one begins no other', () => {
  const check = new StreamCheck(0)
  assert.ok(check.begin(3_000, { protocol: '/meshsub/', waitedMs: 3_000 }))
  assert.ok(!check.begin(4_000, { protocol: '/ipfs/id/1.0.0', waitedMs: 3_000 }))
  assert.deepEqual(check.end(false, 8_000), { protocol: '/meshsub/', waitedMs: 8_000 })
})

test('a node that slept during a check: it proves nothing, the next one does', () => {
  const check = new StreamCheck(0)
  check.begin(8_000)
  check.forgive(45_000)
  assert.equal(check.end(false, 55_000), undefined)
  check.begin(63_000)
  assert.deepEqual(check.end(false, 68_000), { protocol: ping, waitedMs: 5_000 })
})

test('a result without a check: ignored', () => {
  assert.equal(new StreamCheck(0).end(false, 1_000), undefined)
})
