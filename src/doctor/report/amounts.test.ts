import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../../testing/leak-check.ts'
import { bytesText, rounded } from './amounts.ts'

leakCheck()

test('bytes: a unit of a thousand, three digits, and the sign', () => {
  const texts = [0, 512, 1_536, 41_100_000, -3_145_728, 7.2e9].map(bytesText)
  assert.deepEqual(texts, ['0 B', '512 B', '1.54 kB', '41.1 MB', '-3.15 MB', '7.2 GB'])
})

test('amounts: two digits below ten, whole above', () => {
  assert.deepEqual([0.254, 9.999, 444.4, -0.5].map(rounded), ['0.25', '10', '444', '-0.5'])
})
