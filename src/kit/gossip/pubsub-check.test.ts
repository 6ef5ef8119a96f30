import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { isMeshError } from '../../core/errors.ts'
import { Owner } from '../../core/owner.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { VirtualClock } from '../../testing/sim/virtual-clock.ts'
import type { PubSub } from '../components.ts'
import { checkPubSub } from './pubsub-check.ts'

leakCheck()

type Handler = (...args: never[]) => unknown

const nothing = () => {}
const shape: PubSub = {
  subscribe: nothing,
  unsubscribe: nothing,
  getPeers: () => [],
  getSubscribers: () => [],
  publish: async () => ({ recipients: [] }),
  addEventListener: nothing,
  removeEventListener: nothing,
}

const withProtocol = { protocols: ['/meshsub/1.2.0'] }

/** The result for a pubsub service that registers its handler after `delayMs`. */
async function outcome(handler: Handler, { delayMs = 0, ...extra }: { delayMs?: number; [key: string]: unknown } = {}) {
  const clock = new VirtualClock()
  let registered = delayMs === 0
  if (!registered) clock.after(delayMs, () => (registered = true))
  const registrar = {
    getHandler: () => {
      if (!registered) throw new Error('No handler registered')
      return { handler, options: {} } as never
    },
  }
  const pubsub = { ...shape, ...withProtocol, ...extra }
  const check = checkPubSub({ name: 'pubsub', pubsub, registrar, owner: new Owner('test', clock) })
  let done = false
  const result = check.then(
    () => 'accepted',
    (error: unknown) => (isMeshError(error, 'MESH_PUBSUB_UNUSABLE') ? error.message : `threw ${error}`),
  )
  void result.then(() => (done = true))
  for (let turn = 0; !done && turn < 5_000; turn++) {
    clock.advance(1)
    await new Promise<void>((resolve) => queueMicrotask(resolve))
  }
  return result
}

// The first lines of the handlers of gossipsub 14 and 17.
const libp2p2 = ({ stream, connection }: { stream: { id: string }; connection: { remotePeer: string } }) =>
  [connection.remotePeer, stream.id].join()
const libp2p3 = (stream: { id: string }, connection: { remotePeer: string }) =>
  [connection.remotePeer, stream.id].join()

describe('the check of a pubsub service', () => {
  test('a handler for libp2p 2: refused, with the package to install', async () => {
    const refusal = await outcome(libp2p2)
    assert.match(
      refusal,
      /libp2p service "pubsub" cannot be used for gossip: .*libp2p 2.*npm install @libp2p\/gossipsub/,
    )
    assert.match(await outcome(libp2p2, { delayMs: 300 }), /libp2p 2/)
    assert.match(await outcome(async (one: never) => libp2p2(one)), /libp2p 2/)
  })

  test('a handler with stream and connection: accepted', async () => {
    assert.equal(await outcome(libp2p3), 'accepted')
    assert.equal(await outcome(libp2p3, { delayMs: 300 }), 'accepted')
    assert.equal(await outcome(async (one: never, two: never) => libp2p3(one, two)), 'accepted')
    assert.equal(await outcome((stream: { protocol: string }) => stream.protocol), 'accepted')
  })

  test('a service that the check cannot judge: accepted', async () => {
    assert.equal(await outcome(nothing), 'accepted')
    assert.equal(await outcome(libp2p3, { delayMs: 1_000_000 }), 'accepted')
    assert.equal(await outcome(libp2p2, { protocols: undefined }), 'accepted')
  })

  test('the owner closes: the check ends without timers', async () => {
    const clock = new VirtualClock()
    const owner = new Owner('test', clock)
    const registrar = {
      getHandler: () => {
        throw new Error('No handler registered')
      },
    }
    const check = checkPubSub({ name: 'pubsub', pubsub: { ...shape, ...withProtocol }, registrar, owner })
    assert.equal(owner.inventory().resources.length, 1)
    await owner.close()
    await check
    assert.equal(clock.pending, 0)
  })

  test('a missing method: refused, and the method is named', async () => {
    assert.match(await outcome(libp2p3, { getSubscribers: undefined }), /it has no getSubscribers/)
  })

  test('unsigned messages: refused', async () => {
    assert.match(await outcome(libp2p3, { globalSignaturePolicy: 'StrictNoSign' }), /unsigned/)
    assert.equal(await outcome(libp2p3, { globalSignaturePolicy: 'StrictSign' }), 'accepted')
  })
})
