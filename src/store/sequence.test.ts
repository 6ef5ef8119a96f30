import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { leakCheck } from '../testing/leak-check.ts'
import { emptySequence, missingOf, withNumbers } from './sequence.ts'

leakCheck()

test('what is missing is what never came, whatever came twice and in which order', () => {
  const parts = fc.array(fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 20 }), { maxLength: 8 })
  fc.assert(
    fc.property(parts, (exports) => {
      const sequence = exports.reduce(withNumbers, emptySequence)
      const came = new Set(exports.flat())
      const last = Math.max(0, ...came)
      assert.deepEqual([sequence.last, missingOf(sequence)], [last, last - came.size])
    }),
  )
})

test('twice the same span does not hide a lost one', () => {
  assert.equal(missingOf(withNumbers(emptySequence, [1, 2, 2, 4])), 1)
})

test('of more gaps than are kept the oldest stay missing', () => {
  const numbers = Array.from({ length: 500 }, (_, index) => 2 * (index + 1))
  const sequence = withNumbers(emptySequence, numbers)
  assert.deepEqual([missingOf(sequence), sequence.gaps.length], [500, 128])
  assert.equal(missingOf(withNumbers(sequence, [1, 999])), 499, 'the newest can still be filled')
})
