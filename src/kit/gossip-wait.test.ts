import assert from 'node:assert/strict'
import { test } from 'node:test'
import { limits } from '../core/limits.ts'
import { Owner } from '../core/owner.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { VirtualClock } from '../testing/virtual-clock.ts'
import type { ConnectionRecord } from './connections.ts'
import { GossipWait } from './gossip-wait.ts'

leakCheck()

const settle = () => new Promise<void>((resolve) => setImmediate(resolve))

/** A wait for connections whose gossip is there when the test says so. `members`: peers with a joined link. */
function waitFor(members: readonly string[]) {
  const clock = new VirtualClock()
  const owner = new Owner('test', clock)
  let lacking: readonly ConnectionRecord[] = []
  const connections = { lackingGossip: () => lacking, connectionInfos: () => [] }
  const wait = new GossipWait({ connections, owner, clock, isJoined: (peer) => members.includes(peer) })
  const done: number[] = []
  return {
    owner,
    done,
    lack: (...peers: string[]) => {
      lacking = peers.map((peer) => ({ waitedMs: 0, connection: { remotePeer: peer } }) as unknown as ConnectionRecord)
    },
    publish: (number: number) => void wait.waitUntilReachable().then(() => done.push(number)),
    pass: async (ms: number) => {
      for (let passed = 0; passed < ms; passed += 20) {
        clock.advance(20)
        await settle()
      }
    },
  }
}

test('a message waits until gossip is there for all members, and those behind it go on in their order', async () => {
  const { lack, publish, pass, done } = waitFor(['p'])
  lack('p')
  publish(1)
  publish(2)
  await pass(400)
  assert.deepEqual(done, [])
  lack()
  await pass(20)
  assert.deepEqual(done, [1, 2])
})

test('nobody waits for a peer that is no member', async () => {
  const { lack, publish, done } = waitFor(['p'])
  lack('a guest')
  publish(1)
  await settle()
  assert.deepEqual(done, [1])
})

test('a connection holds messages up for 2 s in all, not for 2 s each', async () => {
  const { lack, publish, pass, done } = waitFor(['p', 'q'])
  lack('p')
  publish(1)
  await pass(1_980)
  assert.deepEqual(done, [])
  await pass(20)
  publish(2)
  await settle()
  assert.deepEqual(done, [1, 2])
  lack('q')
  publish(3)
  await settle()
  assert.deepEqual(done, [1, 2], 'another connection has its own')
  lack()
  await pass(20)
})

test('when too many wait, all go on', async () => {
  const { lack, publish, pass, done } = waitFor(['p'])
  lack('p')
  for (let number = 1; number < limits.publishesWaiting; number++) publish(number)
  await pass(100)
  assert.equal(done.length, 0)
  publish(limits.publishesWaiting)
  await pass(20)
  assert.equal(done.length, limits.publishesWaiting)
})

test('a stop ends the wait', async () => {
  const { owner, lack, publish, done } = waitFor(['p'])
  lack('p')
  publish(1)
  await owner.close()
  await settle()
  assert.deepEqual(done, [1])
})
