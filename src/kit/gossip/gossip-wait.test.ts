import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { limits } from '../../core/limits.ts'
import { Owner } from '../../core/owner.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { VirtualClock } from '../../testing/sim/virtual-clock.ts'
import type { ConnectionRecord } from '../connections/connections.ts'
import { GossipWait } from './gossip-wait.ts'

leakCheck()

/** A wait for members, of which the first lacks gossip until the test says otherwise. */
function waitFor(...members: [string, ...string[]]) {
  const clock = new VirtualClock()
  const owner = new Owner('test', clock)
  let lacking: readonly ConnectionRecord[] = []
  const setLacking = (...peers: string[]) => {
    lacking = peers.map((peer) => ({ waitedMs: 0, connection: { remotePeer: peer } }) as unknown as ConnectionRecord)
  }
  setLacking(members[0])
  const connections = { lackingGossip: () => lacking, reconcile: () => {} }
  const wait = new GossipWait({ connections, owner, clock, isJoined: (peer) => members.includes(peer) })
  const done: number[] = []
  return {
    owner,
    done,
    setLacking,
    publish: (number: number, signal?: AbortSignal) =>
      wait.waitUntilReachable(signal).then(
        () => void done.push(number),
        (error: unknown) => error,
      ),
    advance: async (ms: number) => {
      for (let elapsed = 0; elapsed < ms; elapsed += 20) {
        clock.advance(20)
        await nextTurn()
      }
    },
  }
}

test('messages with and without a signal: wait until all members have gossip, and keep their order', async () => {
  const { setLacking, publish, advance, done } = waitFor('p')
  const { signal } = new AbortController()
  for (const number of [1, 2, 3, 4]) void publish(number, number % 2 === 0 ? undefined : signal)
  await advance(400)
  assert.deepEqual(done, [])
  setLacking()
  await advance(20)
  assert.deepEqual(done, [1, 2, 3, 4])
  assert.equal(getEventListeners(signal, 'abort').length, 0)
})

test('an aborted message: rejects at once with the reason, and the others go on waiting', async () => {
  const { setLacking, publish, advance, done } = waitFor('p')
  const controller = new AbortController()
  const aborted = publish(1, controller.signal)
  void publish(2)
  await advance(20)
  controller.abort()
  assert.equal(await aborted, controller.signal.reason)
  await advance(40)
  assert.deepEqual(done, [])
  setLacking()
  await advance(20)
  assert.deepEqual(done, [2])
})

test('after the abort of the only message: the wait ends, with its timer', async () => {
  const { owner, publish, advance } = waitFor('p')
  const controller = new AbortController()
  const aborted = publish(1, controller.signal)
  await advance(20)
  controller.abort()
  await aborted
  await advance(20)
  assert.deepEqual(owner.inventory().resources, [])
})

test('messages do not wait for a guest', async () => {
  const { setLacking, publish, done } = waitFor('p')
  setLacking('a guest')
  publish(1)
  await nextTurn()
  assert.deepEqual(done, [1])
})

test('a connection delays messages for 2 s in total, not for 2 s each', async () => {
  const { setLacking, publish, advance, done } = waitFor('p', 'q')
  publish(1)
  await advance(1_980)
  assert.deepEqual(done, [])
  await advance(20)
  publish(2)
  await nextTurn()
  assert.deepEqual(done, [1, 2])
  setLacking('q')
  publish(3)
  await nextTurn()
  assert.deepEqual(done, [1, 2], 'another connection has its own')
  setLacking()
  await advance(20)
})

test('too many waiting messages: all resolve', async () => {
  const { publish, advance, done } = waitFor('p')
  for (let number = 1; number < limits.publishesWaiting; number++) publish(number)
  await advance(100)
  assert.equal(done.length, 0)
  publish(limits.publishesWaiting)
  await advance(20)
  assert.equal(done.length, limits.publishesWaiting)
})

test('a stop ends the wait', async () => {
  const { owner, publish, done } = waitFor('p')
  publish(1)
  await owner.close()
  await nextTurn()
  assert.deepEqual(done, [1])
})
