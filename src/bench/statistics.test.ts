import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { compare, turns } from './report.ts'
import { percentile, ratioOf, spreadOf } from './statistics.ts'

leakCheck()

test('a drift that affects both series: the paired ratio does not show it', () => {
  const drifting = [5, 10, 20, 40, 80, 160, 320]
  const doubled = drifting.map((one) => 2 * one)
  const ratio = ratioOf(drifting, doubled, 1)
  assert.deepEqual(ratio, { pairs: 7, median: 0.5, min: 0.5, max: 0.5, low: 0.5, high: 0.5 })
})

test('the interval contains the median, lies within the range, and is the same for the same seed', () => {
  const [ours, theirs] = [
    [9, 11, 10, 12, 8, 10, 13],
    [10, 10, 10, 10, 10, 10, 10],
  ]
  const ratio = ratioOf(ours, theirs, 7)
  assert.ok(ratio?.low !== undefined && ratio.high !== undefined)
  assert.equal(ratio.median, 1)
  assert.ok(ratio.min <= ratio.low && ratio.low < 1 && 1 < ratio.high && ratio.high <= ratio.max, JSON.stringify(ratio))
  assert.deepEqual(ratioOf(ours, theirs, 7), ratio)
})

test('the ratio is that of the medians, the range that of single pairs', () => {
  const ratio = ratioOf([1, 6, 4], [2, 3, 8], 1)
  assert.deepEqual([ratio?.median, ratio?.min, ratio?.max], [4 / 3, 0.5, 2])
})

test('five pairs give no 95 % interval, six do', () => {
  const ones = (n: number) => Array.from({ length: n }, () => 1)
  const five = ratioOf(ones(5), ones(5), 1)
  assert.deepEqual([five?.pairs, five?.low, five?.high], [5, undefined, undefined])
  const six = ratioOf(ones(6), ones(6), 1)
  assert.deepEqual([six?.low, six?.high], [1, 1])
})

test('a missing measurement has neither spread nor ratio', () => {
  assert.equal(spreadOf([]), undefined)
  assert.equal(spreadOf([1, Number.NaN]), undefined)
  assert.equal(ratioOf([1, 2], [1], 1), undefined)
  assert.ok(Number.isNaN(percentile([], 0.5)))
  assert.equal(percentile([1, 2, 3, 4, 100], 0.5), 3)
})

test('a comparison summarizes rounds by side and metric; a metric that one side lacks has no ratio', () => {
  const rounds = [
    { stock: { cpu: 10 }, ours: { cpu: 5, known: 7 } },
    { stock: { cpu: 20 }, ours: { cpu: 12, known: 9 } },
  ]
  const { sides, ratios } = compare(rounds, 'stock', 1)
  assert.deepEqual(sides['ours']?.['known'], { median: 8, min: 7, max: 9 })
  assert.deepEqual(Object.keys(ratios), ['ours'])
  assert.deepEqual(Object.keys(ratios['ours'] ?? {}), ['cpu'])
  assert.equal(ratios['ours']?.['cpu']?.median, 8.5 / 15)
})

test('sides take turns forwards and backwards', () => {
  assert.deepEqual(turns(['a', 'b'], 0), ['a', 'b'])
  assert.deepEqual(turns(['a', 'b'], 1), ['b', 'a'])
})
