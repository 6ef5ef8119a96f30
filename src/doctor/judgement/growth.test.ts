import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { forAll } from '../../testing/for-all.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import type { Point } from '../evidence/series.ts'
import { judgeGrowth, riseOf, valueAt } from './growth.ts'

leakCheck()

/** One value every 30 s. */
const everyCensus = (values: readonly number[]): Point[] => values.map((value, i) => ({ atMs: 30_000 * i, value }))
const judge = (values: readonly number[], least = 8) => judgeGrowth(everyCensus(values), least).is

test('a count that rises at every census: it grows for good, from its first value on', () => {
  assert.deepEqual(riseOf(everyCensus([5, 15, 24, 36, 45]), 8), {
    since: { atMs: 0, value: 5 },
    last: { atMs: 120_000, value: 45 },
  })
})

test('a count that is level and rises then: the rise begins where it leaves the level', () => {
  const rise = riseOf(everyCensus([5, 5, 5, 5, 15, 24, 36, 45]), 8)
  assert.equal(rise?.since.atMs, 90_000)
})

test('a leak under churn that goes up and down: the low values show it', () => {
  assert.equal(judge([10, 14, 12, 18, 22, 20, 30, 28, 36, 34, 44, 42, 50]), 'rises')
})

for (const [situation, values] of [
  ['a level count', [5, 5, 5, 5, 5, 5]],
  ['a step', [5, 5, 5, 40, 40, 40, 40, 40]],
  ['a step at the end', [5, 5, 5, 5, 5, 40]],
  ['a step one census before the end', [5, 5, 5, 5, 40, 40]],
  ['a warm-up that ends', [0, 20, 35, 40, 42, 42, 42, 42]],
  ['a warm-up that slows down', [0, 60, 90, 105, 112, 115, 117, 118]],
  ['two load steps', [10, 10, 10, 40, 40, 40, 40, 80, 80, 80, 80]],
  ['churn up and down', [5, 40, 10, 35, 8, 44, 12, 38]],
  ['a sawtooth of a collector that ends high', [5, 20, 35, 50, 6, 21, 36, 51]],
  ['a rise that ended', [5, 15, 25, 35, 45, 45, 45, 45, 45, 45]],
  ['a rise below the least', [5, 6, 7, 8, 9, 10, 11]],
  ['a count that falls', [50, 40, 30, 20, 10]],
  ['two points', [5, 500]],
  ['no points', []],
] as const) {
  test(`${situation}: it does not grow for good`, () => {
    assert.equal(judge(values), 'level')
  })
}

test('a rise over three points: the evidence is too short', () => {
  assert.equal(judge([5, 50, 95]), 'short')
})

test('points in between that were lost: the judgement stays', async (t) => {
  const values = Array.from({ length: 12 }, (_, i) => 10 * i)
  await forAll({ t }, [fc.subarray([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], { minLength: 3 })], (kept) => {
    const points = everyCensus(values).filter((_, i) => i === 0 || i === 11 || kept.includes(i))
    assert.equal(judgeGrowth(points, 8).is, 'rises')
  })
})

test('any values: a judgement never depends on a constant that is added', async (t) => {
  const values = fc.array(fc.integer({ min: 0, max: 1_000 }), { maxLength: 40 })
  await forAll({ t }, [values, fc.integer({ min: 0, max: 1_000 })], (counts, more) => {
    assert.equal(judge(counts), judge(counts.map((count) => count + more)))
  })
})

test('stationary noise: it seldom grows for good', async (t) => {
  const noise = fc.array(fc.integer({ min: 0, max: 20 }), { minLength: 30, maxLength: 60 })
  let risen = 0
  await forAll({ t, numRuns: 500 }, [noise], (values) => {
    if (judge(values) === 'rises') risen++
  })
  assert.equal(risen, 0)
})

test('the value at a time: on the line between the points, and that of the nearest outside', () => {
  const points = everyCensus([10, 20])
  assert.deepEqual(
    [-5, 0, 15_000, 30_000, 99_000].map((atMs) => valueAt(points, atMs)),
    [10, 10, 15, 20, 20],
  )
  assert.equal(valueAt([], 5), 0)
})
