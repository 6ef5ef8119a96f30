import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { leakCheck } from '../testing/leak-check.ts'
import { Ring } from './ring.ts'

leakCheck()

const item = (id: number, bytes = 1) => ({ id, bytes })
const ids = (items: Iterable<{ id: number }>): number[] => [...items].map(({ id }) => id)

test('a full ring: a new item evicts the oldest', () => {
  const ring = new Ring<{ id: number; bytes: number }>(2, 100)
  assert.deepEqual(ring.push(item(1)), [])
  assert.deepEqual(ring.push(item(2)), [])
  assert.deepEqual(ids(ring.push(item(3))), [1])
  assert.deepEqual(ids(ring), [2, 3])
})

test('a large item: evicts as many old ones as it needs; one above the bound is evicted itself', () => {
  const ring = new Ring<{ id: number; bytes: number }>(10, 10)
  for (const id of [1, 2, 3]) ring.push(item(id, 3))
  assert.deepEqual(ids(ring.push(item(4, 5))), [1, 2])
  assert.deepEqual(ids(ring.push(item(5, 11))), [3, 4, 5])
  assert.equal(ring.bytes, 0)
})

test('items in flight: count against the bounds and are not evicted', () => {
  const ring = new Ring<{ id: number; bytes: number }>(2, 100)
  ring.push(item(1))
  ring.push(item(2))
  assert.deepEqual(ids(ring.take(2, 100)), [1, 2])
  assert.deepEqual(ring.take(2, 100), [])
  assert.deepEqual(ids(ring.push(item(3))), [3])
  ring.release()
  assert.deepEqual(ring.push(item(4)), [])
  assert.equal(ring.size, 1)
})

test('a batch: is bounded in items and bytes, but never empty while an item waits', () => {
  const ring = new Ring<{ id: number; bytes: number }>(10, 100)
  for (const id of [1, 2, 3, 4]) ring.push(item(id, 10))
  assert.deepEqual(ids(ring.take(3, 25)), [1, 2])
  ring.release()
  assert.deepEqual(ids(ring.take(1, 1)), [3])
})

test('any order of push, take and release: order and bounds hold, and every item is accounted for', () => {
  const step = fc.oneof(
    fc.record({ do: fc.constant('push' as const), bytes: fc.integer({ min: 1, max: 30 }) }),
    fc.record({ do: fc.constant('take' as const), count: fc.integer({ min: 1, max: 6 }) }),
    fc.record({ do: fc.constant('release' as const) }),
  )
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 8 }), fc.array(step, { maxLength: 200 }), (capacity, steps) => {
      const ring = new Ring<{ id: number; bytes: number }>(capacity, 60)
      const removed: number[] = []
      let inFlight: readonly { id: number; bytes: number }[] = []
      let next = 0
      for (const action of steps) {
        if (action.do === 'push') removed.push(...ids(ring.push(item(next++, action.bytes))))
        else if (action.do === 'take' && inFlight.length === 0) inFlight = ring.take(action.count, 1_000)
        else if (action.do === 'release') {
          removed.push(...ids(inFlight))
          inFlight = []
          ring.release()
        }
        const retained = [...ring]
        assert.ok(retained.length <= capacity && ring.bytes <= 60)
        assert.equal(
          ring.bytes,
          retained.reduce((sum, { bytes }) => sum + bytes, 0),
        )
        assert.equal(ring.added, ring.released + ring.evicted + ring.size)
        assert.deepEqual(
          ids(retained),
          ids(retained).toSorted((a, b) => a - b),
        )
        assert.deepEqual(
          [...removed, ...ids(retained)].toSorted((a, b) => a - b),
          Array.from({ length: next }, (_, id) => id),
        )
      }
    }),
  )
})
