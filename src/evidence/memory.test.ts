import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Owner } from '../core/owner.ts'
import { systemClock } from '../kit/clock.ts'
import { until } from '../processes/waiting.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { VirtualClock } from '../testing/sim/virtual-clock.ts'
import { MemoryReader } from './memory.ts'

leakCheck()

setFlagsFromString('--expose-gc')
const collect: (options?: { readonly type: 'minor' }) => void = runInNewContext('gc')
const megabyte = 1_048_576

test('external memory that is kept: raises both floors’ external part by its size; what is dropped does not', async (t) => {
  const { reader, nextFloor } = startReader(t)
  const before = await nextFloor()
  const kept = Array.from({ length: 20 }, () => Buffer.alloc(megabyte, 1))
  const floorKept = await nextFloor()
  assert.ok(floorKept.external - before.external > 19 * megabyte, `${floorKept.external - before.external} B`)
  assert.ok(reader.read().arrayBuffers > 19 * megabyte)
  assert.equal(kept.length, 20)
  kept.length = 0
  for (let i = 0; i < 20; i++) Buffer.alloc(megabyte, 1)
  const floorAfter = await nextFloor()
  assert.ok(Math.abs(floorAfter.external - before.external) < megabyte, `${floorAfter.external - before.external} B`)
})

test('objects that are kept: raise the heap floor, garbage does not', async (t) => {
  const { nextFloor } = startReader(t)
  const before = await nextFloor()
  const kept = Array.from({ length: 50_000 }, (_, count) => ({ count, text: `kept ${count}` }))
  const held = (await nextFloor()).heap - before.heap
  assert.ok(held > 2 * megabyte, `${held} B`)
  assert.equal(kept.length, 50_000)
  kept.length = 0
  const left = (await nextFloor()).heap - before.heap
  assert.ok(left < megabyte, `${left} B`)
})

test('minor collections: are no floor', async (t) => {
  const { reader, nextFloor } = startReader(t)
  await nextFloor()
  const { majorGcs, floor } = reader.read()
  for (let i = 0; i < 20; i++) collect({ type: 'minor' })
  await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual([reader.read().majorGcs, reader.read().floor], [majorGcs, floor])
})

test('before the first major collection: there is no floor', () => {
  const clock = new VirtualClock()
  const reader = new MemoryReader(clock, () => ({ heapUsed: 3, external: 2, arrayBuffers: 1 }))
  assert.deepEqual(reader.read(), { external: 2, arrayBuffers: 1, majorGcs: 0, floor: undefined })
  clock.advance(5)
  reader.recordMajorGcs(2)
  assert.deepEqual(reader.read(), {
    external: 2,
    arrayBuffers: 1,
    majorGcs: 2,
    floor: { heap: 3, external: 2, at: clock.now() },
  })
})

test('closing the owner: ends the observation', async (t) => {
  const { reader, owner, nextFloor } = startReader(t)
  await nextFloor()
  await owner.close()
  const { majorGcs } = reader.read()
  collect()
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal(reader.read().majorGcs, majorGcs)
})

function startReader(t: { after(run: () => Promise<unknown>): void }) {
  const owner = new Owner('test', systemClock)
  t.after(() => owner.close())
  const reader = new MemoryReader(systemClock)
  reader.start(owner)
  /** Freed buffers leave the count after the collection, so the second floor is the one to judge. */
  const nextFloor = async () => {
    for (let round = 0; round < 2; round++) {
      const { majorGcs } = reader.read()
      collect()
      await until(() => reader.read().majorGcs > majorGcs, 10_000, 'a major collection is observed')
    }
    const { floor } = reader.read()
    assert.ok(floor !== undefined)
    return floor
  }
  return { reader, owner, nextFloor }
}
