import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { forAll } from '../../testing/for-all.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { contentKeys } from './keys.ts'

leakCheck()

const keysOf = (rows: readonly string[]) => contentKeys(rows, (row) => row)

test('rows that say the same have keys of their own', () => {
  assert.deepEqual(keysOf(['a', 'b', 'a']), ['a 2', 'b 1', 'a 1'])
})

test('any list that loses its oldest row: the keys of the others stay', (t) =>
  forAll({ t }, [fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 1 })], (rows) => {
    assert.deepEqual(keysOf(rows.slice(1)), keysOf(rows).slice(1))
    assert.equal(new Set(keysOf(rows)).size, rows.length)
  }))

test('a new row that says what no other does: all keys stay', () => {
  assert.deepEqual(keysOf(['a', 'b', 'a', 'c']).slice(0, 3), keysOf(['a', 'b', 'a']))
})
