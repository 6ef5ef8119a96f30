import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../../testing/leak-check.ts'
import { announceSeed, seededRandom } from '../../testing/random.ts'
import { growthOf, minPoints, type Point } from './growth.ts'

leakCheck()

/** Readings of a hub that keeps so many bytes of each life, with noise of so many bytes around it. */
function readings(perEvent: number, noise: number, random: () => number): Point[] {
  // Three uniform numbers: enough of a bell.
  const scatter = () => (random() + random() + random() - 1.5) * 2 * noise
  return Array.from({ length: 18 }, (_, i) => [i * 450, 20e6 + i * 450 * perEvent + scatter()])
}

test('floors that grow by a line: the slope, and bounds that are equal to it', () => {
  const growth = growthOf(
    readings(64, 0, () => 0.5),
    1,
  )
  assert.ok(growth !== undefined && growth.low !== undefined && growth.high !== undefined)
  for (const slope of [growth.perEvent, growth.low, growth.high]) assert.ok(Math.abs(slope - 64) < 0.01, `${slope}`)
})

test('100 hubs that keep 64 bytes of each life, noise of 100 KB: 95 % have an upper bound above that', (t) => {
  const random = seededRandom(announceSeed(t))
  const bounds = Array.from({ length: 100 }, (_, i) => growthOf(readings(64, 100_000, random), i)?.high ?? Number.NaN)
  // Of 100 such bounds 95 hold on average; a bootstrap of 18 points gives a little less, and chance varies it.
  const holding = bounds.filter((bound) => bound > 64).length
  assert.ok(holding >= 82, `${holding} of 100`)
})

test('a hub that keeps 1 KB of each life, noise of 100 KB: no bound hides it; one that keeps nothing: below 64 bytes', (t) => {
  const random = seededRandom(announceSeed(t))
  const leaking = growthOf(readings(1_024, 100_000, random), 1)
  assert.ok((leaking?.low ?? 0) > 512, JSON.stringify(leaking))
  const clean = growthOf(readings(0, 100_000, random), 1)
  assert.ok((clean?.high ?? Number.NaN) < 64, JSON.stringify(clean))
})

test('few readings: a slope without bounds; one reading: nothing', () => {
  const few = readings(0, 1, Math.random).slice(0, minPoints - 1)
  assert.deepEqual([growthOf(few, 1)?.high, growthOf(few, 1)?.points], [undefined, minPoints - 1])
  assert.equal(growthOf(few.slice(0, 1), 1), undefined)
})
