import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { leakCheck } from '../../testing/leak-check.ts'
import { Lifetime } from './lifetime.ts'

leakCheck()

const hourMs = 3_600_000
const beginMs = 1_800_000_000_000

function lifetimeOf(times: readonly number[]): Lifetime {
  const lifetime = new Lifetime()
  for (const ms of times) lifetime.add(ms)
  return lifetime
}

const minutes = Array.from({ length: 120 }, (_, minute) => beginMs + 60_000 * minute)
const range = ({ firstMs, lastMs }: Lifetime) => [firstMs - beginMs, lastMs - beginMs]

test('times in any order, each within six hours of the next: the first and the last', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 5 * hourMs }), { minLength: 1, maxLength: 50 }), (times) => {
      const lifetime = lifetimeOf(times)
      assert.deepEqual([lifetime.firstMs, lifetime.lastMs], [Math.min(...times), Math.max(...times)])
      assert.equal(lifetime.hasOdd, false)
    }),
  )
})

test('no time: an empty range', () => {
  assert.deepEqual(
    [new Lifetime().firstMs, new Lifetime().lastMs],
    [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  )
})

test('single wrong times before, after or among the true ones: they do not count', () => {
  for (const odd of [0, beginMs - 24 * hourMs, beginMs + 72 * hourMs]) {
    for (const times of [
      [odd, ...minutes],
      [...minutes.slice(0, 60), odd, ...minutes.slice(60)],
      [...minutes, odd],
    ]) {
      const lifetime = lifetimeOf(times)
      assert.deepEqual([range(lifetime), lifetime.hasOdd], [[0, 119 * 60_000], true])
      assert.deepEqual([lifetime.isPlausible(odd), lifetime.isPlausible(beginMs)], [false, true])
    }
  }
})

test('a machine that sleeps over the night: both days count', () => {
  const morning = minutes.map((ms) => ms + 12 * hourMs)
  assert.deepEqual(range(lifetimeOf([...morning, ...minutes])), [0, 12 * hourMs + 119 * 60_000])
})

test('a clock that was set after the boot: the time since then counts', () => {
  const boot = Array.from({ length: 30 }, (_, second) => 1_000 * second)
  assert.deepEqual(range(lifetimeOf([...boot, ...minutes])), [0, 119 * 60_000])
})

test('wrong times by the dozen: those of the process stay', () => {
  const wrong = Array.from({ length: 40 }, (_, day) => beginMs + 24 * hourMs * (day + 1))
  assert.deepEqual(range(lifetimeOf([...wrong, ...minutes])), [0, 119 * 60_000])
})
