import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../../testing/leak-check.ts'
import { mannKendall } from './mann-kendall.ts'

leakCheck()

test('a rising series: z grows with its length; a falling one has the same z below zero', () => {
  const rising = Array.from({ length: 10 }, (_, index) => index)
  assert.equal(mannKendall(rising).toFixed(2), '3.94')
  assert.equal(mannKendall(rising.toReversed()), -mannKendall(rising))
})

test('a series without a trend: z is zero', () => {
  assert.equal(mannKendall([1, 1, 1, 1]), 0)
  assert.equal(mannKendall([1, 2]), 0)
})

test('ties: z is smaller than without', () => {
  assert.ok(mannKendall([1, 1, 2, 2, 3, 3]) < mannKendall([1, 2, 3, 4, 5, 6]))
})
