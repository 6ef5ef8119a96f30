import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { NetworkEvent } from '../core/events.ts'
import { limits } from '../core/limits.ts'
import { Owner } from '../core/owner.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { until } from '../testing/until.ts'
import { VirtualClock } from '../testing/virtual-clock.ts'
import type { PubSub } from './components.ts'
import { GossipChannel } from './gossip-channel.ts'

leakCheck()

/** A channel whose gossipsub hears what the test says. */
function channel() {
  const clock = new VirtualClock()
  const owner = new Owner('test', clock)
  const pubsub = Object.assign(new EventTarget(), { subscribe: () => {}, unsubscribe: () => {} })
  const told: NetworkEvent[] = []
  const deliver = (event: NetworkEvent) => told.push(event)
  const parts = { pubsub: pubsub as unknown as PubSub, owner, clock, deliver, onCrossing: () => {} }
  const gossip = new GossipChannel({ ...parts, meshes: ['mesh-a'] })
  gossip.start()
  const hear = (data: Uint8Array) =>
    pubsub.dispatchEvent(
      Object.assign(new Event('message'), { detail: { type: 'signed', topic: 'tracemesh/1/cross/mesh-a', data } }),
    )
  return { owner, gossip, told, hear }
}

/** Checked at once, by `gossip-channel.ts`. */
const atOnce = 64

test('crossings that come in a burst are all checked; those beyond the bound are counted, and it is told', async () => {
  const { owner, gossip, told, hear } = channel()
  const most = atOnce + limits.crossingsWaiting
  for (let heard = 0; heard < most; heard++) hear(new Uint8Array(10))
  assert.deepEqual(told, [])
  hear(new Uint8Array(10))
  assert.deepEqual(told, [{ type: 'limit.reached', limit: 'crossingsWaiting', action: 'refused' }])
  await until(() => gossip.counts.refused === most, 2_000, 'all checked')
  assert.deepEqual(gossip.counts, { refused: most, dropped: 1, unpublished: 0 })
  await owner.close()
})

test('crossings too long to wait all together meet a bound of bytes', async () => {
  const { owner, gossip, told, hear } = channel()
  const bytes = 60_000
  const most = atOnce + Math.floor(limits.crossingsWaitingBytes / bytes)
  for (let heard = 0; heard <= most; heard++) hear(new Uint8Array(bytes))
  assert.deepEqual(told, [{ type: 'limit.reached', limit: 'crossingsWaitingBytes', action: 'refused' }])
  assert.equal(gossip.counts.dropped, 1)
  await owner.close()
})
