import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { atLeast, atMost } from './proof.ts'

leakCheck()

test('a value at a bound holds, beyond it not; NaN holds for no bound', () => {
  assert.deepEqual(
    [atMost('a', 5, 5).holds, atMost('a', 5, 5.1).holds, atMost('a', 5, Number.NaN).holds],
    [true, false, false],
  )
  assert.deepEqual(
    [atLeast('a', 5, 5).holds, atLeast('a', 5, 4.9).holds, atLeast('a', 5, Number.NaN).holds],
    [true, false, false],
  )
})
