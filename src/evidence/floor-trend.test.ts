import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { seededRandom } from '../testing/random.ts'
import { FloorTrend } from './floor-trend.ts'

leakCheck()

const mb = 1_048_576
const warm = 120_000

/** Floors a minute apart, after the warm-up; returns what the trend says of each. */
function judge(floors: readonly (readonly [heapMb: number, externalMb: number])[], from = warm) {
  const trend = new FloorTrend(0)
  return floors.map(([heap, external], minute) =>
    trend.add({ heap: heap * mb, external: external * mb, at: from + minute * 60_000 }),
  )
}

const none = undefined

test('floors that rise: are noticed at the sixth, outside the heap too, and then compared anew', () => {
  const rising = Array.from({ length: 12 }, (_, i) => [30 + 2 * i, 10] as const)
  const first = [none, none, none, none, none, 'heap-floor']
  assert.deepEqual(judge(rising), [...first, ...first])
  const external = [10, 11, 12, 13, 14, 15].map((bytes) => [30, bytes] as const)
  assert.equal(judge(external).at(-1), 'external-floor')
})

test('floors that spread, that fall again, or that rose once: are none that rise', () => {
  const random = seededRandom(7)
  const clean = Array.from({ length: 200 }, () => [31.1 + 1.2 * random(), 9.8 + 0.2 * random()] as const)
  assert.ok(judge(clean).every((risen) => risen === undefined))
  const wave = Array.from({ length: 200 }, (_, i) => [31 + (i % 3) * 4, 10 + (i % 3) * 2] as const)
  assert.ok(judge(wave).every((risen) => risen === undefined))
  const step = Array.from({ length: 5 }, (_, i) => [30 + (i < 2 ? 0 : 20), 10] as const)
  assert.ok(judge(step).every((risen) => risen === undefined))
})

test('a process that starts: its rise does not count', () => {
  const starting = Array.from({ length: 8 }, (_, i) => [20 + 3 * i, 5 + 2 * i] as const)
  assert.ok(judge(starting, -360_000).every((risen) => risen === undefined))
})
