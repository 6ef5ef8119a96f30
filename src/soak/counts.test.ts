import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { compareCounts, isUnexplained } from './counts.ts'
import type { Reading } from './reading.ts'

leakCheck()

const restMs = 200_000
const settings = { sweepMs: 5_000, stalenessMs: 30_000, isSweepKnown: true }

function reading(atMs: number, byNode: Readonly<Record<string, Readonly<Record<string, number>>>>): Reading {
  const processes = Object.entries(byNode).map(([node, counts]) => ({
    instance: node,
    node,
    censusMs: atMs,
    settings,
    counts,
  }))
  return { atMs, processes }
}

test('counts of several processes: summed, with where they rose most, the largest rise first', () => {
  const before = reading(0, { 'node-1': { peer_store: 4, timers: 10 }, 'node-2': { peer_store: 4, timers: 10 } })
  const after = reading(1, { 'node-1': { peer_store: 54, timers: 9 }, 'node-2': { peer_store: 6, timers: 10 } })
  const [first, second] = compareCounts(before, after, 100, restMs)
  const worst = { node: 'node-1', rise: 50 }
  assert.deepEqual(first, { what: 'peer_store', before: 8, after: 60, rise: 52, perLife: 0.52, worst })
  assert.deepEqual([second?.what, second?.rise], ['timers', -1])
})

test('a process that only one reading has: left out', () => {
  const before = reading(0, { 'node-1': { timers: 10 } })
  const after = reading(1, { 'node-1': { timers: 10 }, 'node-2': { timers: 90 } })
  assert.equal(compareCounts(before, after, 100, restMs)[0]?.rise, 0)
})

test('a count that appears between the readings: rises from nothing', () => {
  const [row] = compareCounts(reading(0, { 'node-1': {} }), reading(1, { 'node-1': { cache: 20 } }), 40, restMs)
  assert.deepEqual([row?.before, row?.after, row?.perLife], [0, 20, 0.5])
})

test('a rise that follows the lives: unexplained, and a smaller one or one by design is not', () => {
  const rows = (rise: number, what = 'peer_store', rest = restMs, lives = 100) =>
    compareCounts(reading(0, { 'node-1': { [what]: 1 } }), reading(1, { 'node-1': { [what]: 1 + rise } }), lives, rest)
  const unexplained = (...args: Parameters<typeof rows>) => rows(...args).some((row) => isUnexplained(row, 100))
  assert.ok(unexplained(16))
  assert.ok(!unexplained(15))
  assert.ok(!unexplained(90, 'registry members of view', 100_000))
  assert.ok(unexplained(90, 'registry members of view'))
  assert.ok(!unexplained(90, 'gossip.scores'))
  assert.match(rows(90, 'gossip.scores')[0]?.byDesign ?? '', /75 min/)
})

test('a rise of a hundredth of many lives: not unexplained', () => {
  const rise = compareCounts(reading(0, { a: { timers: 1 } }), reading(1, { a: { timers: 41 } }), 4_000, restMs)
  assert.ok(!rise.some((row) => isUnexplained(row, 4_000)))
})
