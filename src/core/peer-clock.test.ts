import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { judgeClock, type PeerClock } from './peer-clock.ts'

leakCheck()

const allowedMs = 5_000
/** The reported skews of samples [second, skew]. */
function judgements(samples: readonly (readonly [number, number])[]) {
  const clock: PeerClock = { samples: [], isOff: false }
  return samples.map(([second, skewMs]) => judgeClock(clock, skewMs, allowedMs, second * 1_000))
}

test('clock ahead: reported at once, and once until it is within the limit again', () => {
  const reportedSkews = judgements([
    [0, 5_000],
    [10, 5_001],
    [20, 9_000],
    [30, 0],
    [40, 0],
    [50, 0],
    [60, 7_000],
  ])
  assert.deepEqual(reportedSkews, [undefined, 5_001, undefined, undefined, undefined, undefined, 7_000])
})

test('clock behind: reported after three digests in a row, with the smallest skew', () => {
  assert.deepEqual(
    judgements([
      [0, -60_000],
      [30, -61_000],
      [60, -60_500],
      [90, -60_000],
    ]),
    [undefined, undefined, -60_000, undefined],
  )
})

test('late digests: no report while one of three is in time', () => {
  assert.deepEqual(
    judgements([
      [0, -9_000],
      [30, -8_000],
      [60, -20],
      [90, -9_000],
      [120, -9_000],
    ]),
    Array(5).fill(undefined),
  )
})

test('burst of late digests: counts once, by the quickest', () => {
  assert.deepEqual(
    judgements([
      [0, -9_000],
      [1, -8_000],
      [2, -7_000],
      [3, -6_000],
      [13, -9_000],
    ]),
    Array(5).fill(undefined),
  )
  assert.deepEqual(
    judgements([
      [0, -9_000],
      [1, -10],
      [11, -9_000],
      [21, -9_000],
    ]).at(-1),
    undefined,
  )
})
