import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { forAll } from '../../testing/for-all.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { seededRandom } from '../../testing/random.ts'
import type { Point } from '../evidence/series.ts'
import { trendOf } from './trend.ts'

leakCheck()

const every = (values: readonly number[]): Point[] => values.map((value, atMs) => ({ atMs, value }))

test('a line: its slope without an interval', () => {
  assert.deepEqual(trendOf(every([1, 3, 5, 7, 9])), { slope: 2, low: 2, high: 2 })
})

test('a fifth of the values is nonsense: the slope hardly changes', () => {
  const values = Array.from({ length: 20 }, (_, i) => (i % 5 === 3 ? 1_000 * (i % 2) : 3 * i))
  const { slope = 0 } = trendOf(every(values)) ?? {}
  assert.ok(slope > 2 && slope < 4, `${slope}`)
})

test('three points: no trend', () => {
  assert.equal(trendOf(every([1, 2, 3])), undefined)
})

test('points of one time: no trend', () => {
  assert.equal(trendOf(every([1, 2, 3, 4]).map(({ value }) => ({ atMs: 7, value }))), undefined)
})

test('noise without a slope: the interval has zero in nine of ten cases', () => {
  const random = seededRandom(11)
  const runs = Array.from({ length: 400 }, () => trendOf(every(Array.from({ length: 24 }, () => random()))))
  const holding = runs.filter((trend) => trend !== undefined && trend.low <= 0 && trend.high >= 0).length
  assert.ok(holding >= 350 && holding <= 380, `${holding} of 400`)
})

test('any values: the slope lies within its interval, and is the same in any units', async (t) => {
  await forAll(
    { t },
    [fc.array(fc.integer({ min: -1_000, max: 1_000 }), { minLength: 4, maxLength: 30 })],
    (values) => {
      const trend = trendOf(every(values))
      assert.ok(trend !== undefined && trend.low <= trend.slope && trend.slope <= trend.high)
      assert.equal(trendOf(every(values.map((value) => 2 * value)))?.slope, 2 * trend.slope)
    },
  )
})
