import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { NetworkEvent } from '../../core/events.ts'
import { limits } from '../../core/limits.ts'
import { Owner } from '../../core/owner.ts'
import { until } from '../../processes/waiting.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { VirtualClock } from '../../testing/sim/virtual-clock.ts'
import { digestOf } from '../../testing/suite/suite-steps.ts'
import type { PubSub } from '../components.ts'
import { GossipChannel, WorkQueue } from './gossip-channel.ts'

leakCheck()

/** A channel whose gossipsub delivers the test’s messages. */
function channel() {
  const clock = new VirtualClock()
  const owner = new Owner('test', clock)
  const pubsub = Object.assign(new EventTarget(), { subscribe: () => {}, unsubscribe: () => {} })
  const events: NetworkEvent[] = []
  const deliver = (event: NetworkEvent) => events.push(event)
  const parts = { pubsub: pubsub as unknown as PubSub, owner, clock, deliver, onCrossing: () => {} }
  const gossip = new GossipChannel({ ...parts, meshes: ['mesh-a'] })
  gossip.start()
  const receive = (data: Uint8Array) =>
    pubsub.dispatchEvent(
      Object.assign(new Event('message'), { detail: { type: 'signed', topic: 'tracemesh/1/cross/mesh-a', data } }),
    )
  return { owner, gossip, events, receive }
}

/** Concurrent checks in `gossip-channel.ts`. */
const concurrency = 64

test('a burst of crossings: all within the bound are checked, the rest counted and reported', async () => {
  const { owner, gossip, events, receive } = channel()
  const capacity = concurrency + limits.crossingsWaiting
  for (let count = 0; count < capacity; count++) receive(new Uint8Array(10))
  assert.deepEqual(events, [])
  receive(new Uint8Array(10))
  assert.deepEqual(events, [{ type: 'limit.reached', limit: 'crossingsWaiting', action: 'refused' }])
  await until(() => gossip.counts.refused === capacity, 30_000, 'all checked')
  assert.deepEqual(gossip.counts, { refused: capacity, dropped: 1, unpublished: 0 })
  await owner.close()
})

test('a burst of long crossings exceeds the bound in bytes', async () => {
  const { owner, gossip, events, receive } = channel()
  const bytes = 60_000
  const capacity = concurrency + Math.floor(limits.crossingsWaitingBytes / bytes)
  for (let count = 0; count <= capacity; count++) receive(new Uint8Array(bytes))
  assert.deepEqual(events, [{ type: 'limit.reached', limit: 'crossingsWaitingBytes', action: 'refused' }])
  assert.equal(gossip.counts.dropped, 1)
  await owner.close()
})

test('publishes that have ended: nothing of their results stays', async () => {
  const results: WeakRef<object>[] = []
  const publish = async () => {
    const recipients = [{}]
    results.push(...recipients.map((one) => new WeakRef(one)))
    return { recipients }
  }
  const owner = new Owner('test', new VirtualClock())
  const pubsub = Object.assign(new EventTarget(), { publish }) as unknown as PubSub
  const clock = new VirtualClock()
  const gossip = new GossipChannel({
    pubsub,
    owner,
    clock,
    meshes: ['mesh-a'],
    deliver: () => {},
    onCrossing: () => {},
  })
  for (let count = 0; count < 20; count++) gossip.digest('mesh-a', digestOf('a', count))
  await gossip.flush()
  // A WeakRef keeps its object until the end of the turn that made it.
  await new Promise((resolve) => setImmediate(resolve))
  setFlagsFromString('--expose-gc')
  runInNewContext('gc')()
  assert.equal(results.length, 20)
  assert.equal(results.filter((one) => one.deref() !== undefined).length, 0)
  await owner.close()
})

/** A queue whose work the test ends. */
function queueOf(concurrency: number, waiting: number, waitingBytes = 1_000) {
  const started: number[] = []
  const ends: (() => void)[] = []
  const queue = new WorkQueue<number>({ concurrency, waiting, waitingBytes }, (item) => {
    started.push(item)
    return new Promise((resolve) => ends.push(resolve))
  })
  const end = async () => {
    ends.shift()?.()
    await new Promise((resolve) => setImmediate(resolve))
  }
  return { queue, started, end }
}

test('items above the concurrency wait, and start in order', async () => {
  const { queue, started, end } = queueOf(2, 10)
  for (const item of [1, 2, 3, 4, 5]) assert.equal(queue.add(item, 1), undefined)
  assert.deepEqual(started, [1, 2])
  await end()
  assert.deepEqual(started, [1, 2, 3])
  for (let left = 0; left < 4; left++) await end()
  assert.deepEqual(started, [1, 2, 3, 4, 5])
  queue.add(6, 1)
  assert.equal(started.at(-1), 6, 'an empty queue starts it at once')
})

test('an item above a bound is rejected, and the bound is named', async () => {
  const { queue, started, end } = queueOf(1, 2, 100)
  queue.add(1, 60)
  assert.equal(queue.add(2, 60), undefined)
  assert.equal(queue.add(3, 60), 'waitingBytes')
  assert.equal(queue.add(4, 40), undefined)
  assert.equal(queue.add(5, 0), 'waiting')
  await end()
  assert.equal(queue.add(6, 60), undefined, 'a started item frees its place')
  await end()
  await end()
  assert.deepEqual(started, [1, 2, 4, 6])
})
