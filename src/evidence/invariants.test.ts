import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { atMost, equal, type Invariant, InvariantWatch } from './invariants.ts'

leakCheck()

const audit = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16) }
const facts = { name: 'connections-conserved', owner: 'ledger', expected: 3 } as const

test('equal counts, and a count up to its bound: are whole', () => {
  const invariants = [equal({ ...facts, actual: 3 }), atMost({ ...facts, actual: 3 }), atMost({ ...facts, actual: 2 })]
  assert.deepEqual(new InvariantWatch().judge(invariants, 0), [])
})

test('without a grace period: broken at once, with owner, both counts and at most 16 ids', () => {
  const ids = Array.from({ length: 40 }, (_, i) => `c${i}`)
  const [broken] = new InvariantWatch().judge([equal({ ...facts, actual: 2, ids })], 7)
  assert.deepEqual(broken?.span(audit).attributes, {
    'mesh.invariant': 'connections-conserved',
    'mesh.invariant.owner': 'ledger',
    'mesh.expected': 3,
    'mesh.actual': 2,
    'mesh.invariant.broken_ms': 0,
    'mesh.invariant.ids': ids.slice(0, 16),
  })
})

test('with a grace period: broken once it has been so for that long without a pause, each owner by itself', () => {
  const watch = new InvariantWatch()
  const broken = (owner: string): Invariant => atMost({ ...facts, owner, actual: 4, graceMs: 30_000 })
  const judge = (now: number, ...owners: readonly string[]) =>
    watch.judge(owners.map(broken), now).map(({ owner }) => owner)
  assert.deepEqual(judge(0, 'a'), [])
  assert.deepEqual(judge(29_999, 'a', 'b'), [])
  assert.deepEqual(judge(30_000, 'a', 'b'), ['a'])
  assert.deepEqual(judge(60_000, 'b'), ['b'])
  assert.deepEqual(judge(90_000, 'a', 'b'), ['b'], 'it was whole in between')
})
