import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { forAll } from '../testing/for-all.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { addNumbers, countMissing, emptySequence } from './tallies.ts'

leakCheck()

test('numbers in any order, with duplicates: those never received are missing', (t) => {
  const parts = fc.array(fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 20 }), { maxLength: 8 })
  return forAll({ t }, [parts], (exports) => {
    const sequence = exports.reduce(addNumbers, emptySequence)
    const received = new Set(exports.flat())
    const last = Math.max(0, ...received)
    assert.deepEqual([sequence.last, countMissing(sequence)], [last, last - received.size])
  })
})

test('a duplicate: does not hide a lost number', () => {
  assert.equal(countMissing(addNumbers(emptySequence, [1, 2, 2, 4])), 1)
})

test('more gaps than the bound: the oldest stay missing', () => {
  const numbers = Array.from({ length: 500 }, (_, index) => 2 * (index + 1))
  const sequence = addNumbers(emptySequence, numbers)
  assert.deepEqual([countMissing(sequence), sequence.gaps.length], [500, 128])
  assert.equal(countMissing(addNumbers(sequence, [1, 999])), 499, 'the newest can still be filled')
})
