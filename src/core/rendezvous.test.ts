import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { peerIdArbitrary } from '../testing/core/frame-arbitraries.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { announceSeed } from '../testing/random.ts'
import { rank } from './rendezvous.ts'

leakCheck()

const bridgesArbitrary = fc.uniqueArray(peerIdArbitrary, { minLength: 1, maxLength: 8 })

function ranks(origin: string, bridges: readonly string[]): number[] {
  return bridges.map((self) => rank(origin, self, bridges))
}

test('all bridges compute the same order: each rank occurs once', (t) => {
  const seed = announceSeed(t)
  fc.assert(
    fc.property(peerIdArbitrary, bridgesArbitrary, (origin, bridges) => {
      assert.deepEqual(
        ranks(origin, bridges).sort((a, b) => a - b),
        bridges.map((_, place) => place),
      )
    }),
    { seed },
  )
})

test('order of the list, or the node itself in it: does not change the rank', (t) => {
  const seed = announceSeed(t)
  fc.assert(
    fc.property(peerIdArbitrary, bridgesArbitrary, (origin, [self = '', ...others]) => {
      const place = rank(origin, self, others)
      assert.equal(rank(origin, self, [...others].reverse()), place)
      assert.equal(rank(origin, self, [self, ...others]), place)
    }),
    { seed },
  )
})

test('bridge that leaves: only those ranked after it move up', (t) => {
  const seed = announceSeed(t)
  fc.assert(
    fc.property(peerIdArbitrary, bridgesArbitrary, (origin, [leaver = '', ...others]) => {
      const before = ranks(origin, [leaver, ...others])
      const expected = before.slice(1).map((place) => (place > (before[0] ?? 0) ? place - 1 : place))
      assert.deepEqual(ranks(origin, others), expected)
    }),
    { seed },
  )
})

for (const count of [2, 3, 5]) {
  test(`10,000 origins spread over ${count} bridges within 10 %`, () => {
    // Ids that differ in their last characters alone: the hard case for FNV.
    const bridges = Array.from({ length: count }, (_, n) => `12D3KooWBridgeBridgeBridgeBridgeBridgeBridgeBridge${n}`)
    const first = bridges.map(() => 0)
    for (let n = 0; n < 10_000; n++) {
      const winner = ranks(`12D3KooWOriginOriginOriginOriginOriginOrigin${n}`, bridges).indexOf(0)
      first[winner] = (first[winner] ?? 0) + 1
    }
    const mean = 10_000 / count
    for (const share of first) assert(Math.abs(share - mean) <= mean / 10, `${first} of a mean of ${mean}`)
  })
}
