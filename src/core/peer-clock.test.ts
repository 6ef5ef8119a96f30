import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { judgeClock, type PeerClock } from './peer-clock.ts'

leakCheck()

const allowedMs = 5_000

/** Skews in milliseconds by the second in which they occur. */
type Skews = Readonly<Record<number, number>>

const cases: readonly (readonly [title: string, samples: Skews, reports: Skews])[] = [
  [
    'clock ahead: reported at once, and once until it is within the limit again',
    { 0: 5_000, 10: 5_001, 20: 9_000, 30: 0, 40: 0, 50: 0, 60: 7_000 },
    { 10: 5_001, 60: 7_000 },
  ],
  [
    'clock behind: reported after three digests in a row, with the smallest skew',
    { 0: -60_000, 30: -61_000, 60: -60_500, 90: -60_000 },
    { 60: -60_000 },
  ],
  [
    'late digests: no report while one of three is in time',
    { 0: -9_000, 30: -8_000, 60: -20, 90: -9_000, 120: -9_000 },
    {},
  ],
  ['burst of late digests: counts once', { 0: -9_000, 1: -8_000, 2: -7_000, 3: -6_000, 13: -9_000 }, {}],
  ['burst of late digests: counts by the quickest', { 0: -9_000, 1: -10, 11: -9_000, 21: -9_000 }, {}],
]

for (const [title, samples, reports] of cases) {
  test(title, () => {
    const clock: PeerClock = { samples: [], isOff: false }
    for (const [second, skewMs] of Object.entries(samples)) {
      const reported = judgeClock(clock, skewMs, allowedMs, Number(second) * 1_000)
      assert.equal(reported, reports[Number(second)], `at ${second} s`)
    }
  })
}
