import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { leakCheck } from '../testing/leak-check.ts'
import { seededRandom } from '../testing/random.ts'
import { backoffPolicy, delayMs, rankAmong } from './backoff.ts'

leakCheck()

const seconds = (ms: number) => ms / 1_000
const attempts = [1, 2, 3, 4, 5, 6, 7, 8, 9]

test('highest jitter: waits of 1 2 4 8 16 30 30 30 30 s; lowest jitter: half of them', () => {
  const steps = [1, 2, 4, 8, 16, 30, 30, 30, 30]
  assert.deepEqual(
    attempts.map((n) => seconds(delayMs(backoffPolicy, n, 1))),
    steps,
  )
  assert.deepEqual(
    attempts.map((n) => seconds(delayMs(backoffPolicy, n, 0))),
    steps.map((step) => step / 2),
  )
})

test('every wait n lies in [w/2, w]', () => {
  const jitter = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 100 }), jitter, (n, u) => {
      const highest = delayMs(backoffPolicy, n, 1)
      const wait = delayMs(backoffPolicy, n, u)
      assert.ok(wait >= highest / 2 && wait <= highest, `${wait} of ${highest}`)
    }),
  )
})

test('rank among peers: ranks divide [0, 1) evenly, with or without the node itself in the list', () => {
  const peers = ['d', 'a', 'c', 'b']
  const places = peers.map((self) => rankAmong(self, peers, () => 0.5))
  assert.deepEqual(places, [0.875, 0.125, 0.625, 0.375])
  assert.equal(
    rankAmong('c', ['d', 'a', 'b'], () => 0.5),
    0.625,
  )
})

test('rank without peers: a random sample', () => {
  assert.equal(rankAmong('a', [], seededRandom(1)), seededRandom(1)())
})
