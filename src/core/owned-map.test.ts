import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { forAll } from '../testing/for-all.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { isMeshError } from './errors.ts'
import { OwnedMap, type RegistrySpec } from './owned-map.ts'

leakCheck()

type Released = [value: string, key: string, reason: string]

function makeMap(spec: Partial<RegistrySpec<string, string>> = {}) {
  const released: Released[] = []
  const map = new OwnedMap<string, string>('node-a', {
    name: 'peers',
    capacity: 3,
    expiry: { idleMs: 100 },
    release: (...args) => void released.push(args),
    ...spec,
  })
  return { map, released }
}

test('set: releases another value of the key; refreshes the same value', () => {
  const { map, released } = makeMap()
  map.set('a', 'one', 0)
  map.set('a', 'one', 5)
  assert.deepEqual([released, map.census(5).added, map.census(5).oldestMs], [[], 1, 0])
  map.set('a', 'two', 10)
  assert.deepEqual(released, [['one', 'a', 'replaced']])
  assert.equal(map.get('a'), 'two')
})

test('full map: evicts the least recently refreshed entry', () => {
  const { map, released } = makeMap()
  for (const [now, key] of ['a', 'b', 'c'].entries()) map.set(key, `of ${key}`, now)
  map.touch('a', 10)
  map.set('d', 'of d', 11)
  assert.deepEqual(released, [['of b', 'b', 'evicted']])
  assert.deepEqual([...map.keys()], ['c', 'a', 'd'])
})

test('entries without a refresh for longer than idleMs: expire', () => {
  const { map, released } = makeMap()
  map.set('a', 'one', 0)
  map.set('b', 'two', 0)
  map.touch('b', 1)
  assert.equal(map.expire(100), 0)
  assert.equal(map.expire(101), 1)
  assert.deepEqual(released, [['one', 'a', 'expired']])
})

test('map with an expiry event: time expires nothing', () => {
  const { map } = makeMap({ expiry: { event: 'connection closed' } })
  map.set('a', 'one', 0)
  assert.equal(map.expire(1e9), 0)
})

test('time that goes back: counts as the latest time', () => {
  const { map } = makeMap()
  map.set('a', 'one', 1_000)
  map.set('b', 'two', 10)
  assert.equal(map.expire(1_100), 0)
  assert.equal(map.expire(1_101), 2)
})

test('guarded removal: does not remove the successor', () => {
  const { map, released } = makeMap()
  map.set('a', 'second link', 0)
  const deleteIf = (expected: string) => map.deleteIf('a', (link) => link === expected)
  assert.deepEqual([deleteIf('first link'), deleteIf('second link'), map.delete('a')], [false, true, false])
  assert.deepEqual(released, [['second link', 'a', 'removed']])
})

test('close: releases all entries and rejects further ones', () => {
  const { map, released } = makeMap()
  map.set('a', 'one', 0)
  map.close()
  map.close()
  assert.deepEqual(released, [['one', 'a', 'closed']])
  assert.throws(() => map.set('b', 'two', 1), { code: 'MESH_OWNER_CLOSED' })
})

test('release that throws: the caller gets the error, and the map stays consistent', () => {
  const release = (value: string) => {
    throw new Error(`cannot free ${value}`)
  }
  const { map } = makeMap({ release })
  map.set('a', 'one', 0)
  assert.throws(() => map.set('a', 'two', 0), /cannot free one/)
  assert.equal(map.get('a'), 'two')
  map.set('b', 'three', 0)
  assert.throws(
    () => map.expire(1_000),
    (error) => isMeshError(error, 'MESH_RELEASE_FAILED') && /free two; .*free three/.test(error.message),
  )
  assert.deepEqual([map.size, map.census(0).released], [0, 3])
})

test('release that changes its own map: works', () => {
  const { map, released } = makeMap({
    capacity: 1,
    release: (value, key, reason) => {
      released.push([value, key, reason])
      if (value === 'one') map.set('again', 'four', 0)
    },
  })
  map.set('a', 'one', 0)
  map.set('b', 'two', 0)
  assert.deepEqual([...map], [['again', 'four']])
  assert.deepEqual(released, [
    ['one', 'a', 'evicted'],
    ['two', 'b', 'evicted'],
  ])
})

test('map changed during iteration: works', () => {
  const { map } = makeMap()
  for (const key of ['a', 'b', 'c']) map.set(key, key, 0)
  for (const [key] of map) map.touch(key, 1)
  for (const key of map.keys()) map.delete(key)
  assert.deepEqual([...map.values()], [])
})

test('capacity or idleMs that is not positive and finite: rejected', () => {
  const isRefusal = (error: unknown) => isMeshError(error, 'MESH_CONFIG_INVALID')
  for (const capacity of [0, -1, 1.5, Infinity, Number.NaN]) assert.throws(() => makeMap({ capacity }), isRefusal)
  for (const idleMs of [0, -1, Infinity, Number.NaN]) assert.throws(() => makeMap({ expiry: { idleMs } }), isRefusal)
})

const key = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f')
const operation = fc.oneof(
  fc.record({ do: fc.constant('set' as const), key, ms: fc.nat(60) }),
  fc.record({ do: fc.constantFrom('again' as const, 'touch' as const, 'delete' as const), key, ms: fc.nat(60) }),
  fc.record({ do: fc.constantFrom('expire' as const, 'walk' as const), key, ms: fc.nat(200) }),
)

test('any operations: each value is released exactly once, the capacity holds and the census adds up', (t) =>
  forAll({ t }, [fc.array(operation, { maxLength: 200 })], (operations) => {
    const { map, released } = makeMap()
    let now = 0
    const made: string[] = []
    for (const { do: what, key, ms } of operations) {
      now += ms
      if (what === 'set') map.set(key, made[made.push(`value ${made.length}`) - 1] as string, now)
      if (what === 'again') map.set(key, map.get(key) ?? (made[made.push(`value ${made.length}`) - 1] as string), now)
      if (what === 'touch') map.touch(key, now)
      if (what === 'delete') map.delete(key)
      if (what === 'expire') map.expire(now)
      const census = map.census(now)
      const { size, highWaterMark, capacity } = census
      assert.ok(size <= highWaterMark && highWaterMark <= capacity)
      assert.deepEqual([census.added, census.added - census.released], [made.length, census.size])
      const removals = Object.values(census.byReason).reduce((a, b) => a + b)
      assert.equal(removals, released.length)
      if (what === 'expire') assert.ok(census.oldestMs <= 100)
      assert.deepEqual([...map.values(), ...released.map(([value]) => value)].sort(), [...made].sort())
    }
    map.close()
    assert.deepEqual(released.map(([value]) => value).sort(), made.sort())
  }))
