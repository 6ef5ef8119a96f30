import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { atLeast, atMost, type Check, equals, verdictOf } from './proof.ts'
import { byName } from './proofs.ts'

leakCheck()

const holds = equals('a', 1, 1)
const fails = equals('a', 1, 2)
const open: Check = { what: 'b', want: 'a peer', got: 'none there', holds: 'not shown' }

test('one check that fails is a proof that fails, whatever else could not be shown', () => {
  assert.equal(verdictOf([holds, open, fails]), 'fails')
})

test('a proof holds only when every check was made and holds', () => {
  assert.equal(verdictOf([holds, holds]), 'holds')
  assert.equal(verdictOf([holds, open]), 'not shown')
  assert.equal(verdictOf([]), 'not shown')
})

test('bounds include their end; what was never measured is within none', () => {
  assert.deepEqual(
    [atMost('a', 5, 5).holds, atMost('a', 5, 5.1).holds, atMost('a', 5, Number.NaN).holds],
    [true, false, false],
  )
  assert.deepEqual(
    [atLeast('a', 5, 5).holds, atLeast('a', 5, 4.9).holds, atLeast('a', 5, Number.NaN).holds],
    [true, false, false],
  )
})

test('two proofs of one name are refused', () => {
  const paths = ['mesh/kill.proof.ts', 'lab/lab-kill.proof.ts']
  assert.deepEqual([...byName(paths).keys()], ['kill', 'lab-kill'])
  assert.throws(() => byName([...paths, 'network/kill.proof.ts']), /mesh\/kill.proof.ts and network\/kill.proof.ts/)
})
