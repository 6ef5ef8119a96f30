import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { atMost, equal, InvariantWatch } from './invariants.ts'

leakCheck()

const audit = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16) }
const facts = { name: 'connections-conserved', owner: 'ledger', expected: 3 } as const

test('equal counts, and a count up to its bound: are whole', () => {
  const invariants = [equal({ ...facts, actual: 3 }), atMost({ ...facts, actual: 3 }), atMost({ ...facts, actual: 2 })]
  assert.deepEqual(new InvariantWatch().judge(invariants, 0), [])
})

test('a broken invariant: has owner, both counts and at most 16 ids', () => {
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

test('how long it has been broken: counts from its first census without a pause, for each owner', () => {
  const watch = new InvariantWatch()
  const judge = (now: number, ...owners: readonly string[]) =>
    watch
      .judge(
        owners.map((owner) => atMost({ ...facts, owner, actual: 4 })),
        now,
      )
      .map(({ owner, span }) => `${owner} ${Reflect.get(span(audit).attributes, 'mesh.invariant.broken_ms')}`)
  assert.deepEqual(judge(0, 'a'), ['a 0'])
  assert.deepEqual(judge(30_000, 'a', 'b'), ['a 30000', 'b 0'])
  assert.deepEqual(judge(60_000, 'b'), ['b 30000'])
  assert.deepEqual(judge(90_000, 'a', 'b'), ['a 0', 'b 60000'], 'it was whole in between')
})
