import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gossipsub } from '@chainsafe/libp2p-gossipsub'
import { identify } from '@libp2p/identify'
import type { Stream } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { Owner } from '../../core/owner.ts'
import { until } from '../../processes/waiting.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { VirtualClock } from '../../testing/sim/virtual-clock.ts'
import { loopbackSettings } from '../../testing/suite/mesh-app.ts'
import type { TracemeshComponents } from '../components.ts'
import { StreamGate, type StreamGateOptions } from './stream-gate.ts'

leakCheck()

const identifyProtocols = ['/ipfs/id/1.0.0', '/ipfs/id/push/1.0.0']
const echo = '/test/echo/1.0.0'
const free = '/test/free/1.0.0'
const topic = 'news'
const waitMs = 10_000

/** A libp2p with gossipsub, behind a gate if `gated` is set, and with two protocols that count their streams. */
async function startPeer(gated: { capacity?: number } | undefined) {
  const clock = new VirtualClock()
  const owner = new Owner('test', clock)
  const made: { gate?: StreamGate } = {}
  const guard = (components: TracemeshComponents & Pick<StreamGateOptions, 'registrar'>) => ({
    start: () => {},
    stop: () => {},
    beforeStart: () => {
      const { events, registrar } = components
      const freeProtocols = [...identifyProtocols, free]
      made.gate = new StreamGate({ registrar, events, owner, clock, freeProtocols, capacity: 10, ...gated })
      made.gate.start()
    },
  })
  const libp2p = await createLibp2p({
    ...(await loopbackSettings()),
    services: {
      // Before the gate, as an application may list it.
      pubsub: gossipsub({ allowPublishToZeroTopicPeers: true, emitSelf: false }),
      identify: identify(),
      ...(gated && { guard: guard as never }),
    },
  })
  const handled: Record<string, number> = { [echo]: 0, [free]: 0 }
  for (const protocol of [echo, free])
    await libp2p.handle(protocol, () => {
      handled[protocol] = (handled[protocol] ?? 0) + 1
    })
  await libp2p.start()
  const { pubsub } = libp2p.services
  pubsub.subscribe(topic)
  const heard: string[] = []
  pubsub.addEventListener('message', ({ detail }) => heard.push(new TextDecoder().decode(detail.data)))
  return {
    libp2p,
    pubsub,
    heard,
    handled,
    clock,
    owner,
    /** Of a gated one. */
    gate: () => made.gate as StreamGate,
    id: libp2p.peerId.toString(),
    [Symbol.asyncDispose]: async () => {
      await libp2p.stop()
      await owner.close()
    },
  }
}

type Peer = Awaited<ReturnType<typeof startPeer>>

const dial = (from: Peer, to: Peer) => from.libp2p.dial(multiaddr(String(to.libp2p.getMultiaddrs()[0])))
const isOver = ({ status }: Stream) => status !== 'open'
const text = (word: string) => new TextEncoder().encode(word)
/** Visitors of a gated peer, admitted ones included. */
const visitors = ({ owner }: Peer) => owner.inventory().registries.find(({ name }) => name === 'visitors')?.size

/** Both have identified each other; what libp2p and gossipsub do then, they have begun. */
async function meet(from: Peer, to: Peer) {
  const connection = await dial(from, to)
  const knows = async ({ libp2p }: Peer, other: Peer) =>
    (await libp2p.peerStore.get(other.libp2p.peerId)).protocols.includes(free)
  await until(async () => (await knows(from, to)) && (await knows(to, from)), waitMs, 'identify')
  return connection
}

test('a stranger: no service learns of it, its streams wait and end, and gossip passes neither way', async () => {
  await using guarded = await startPeer({})
  await using stranger = await startPeer(undefined)
  const connection = await meet(stranger, guarded)
  const stream = await connection.newStream(echo)
  const open = await connection.newStream(free)
  await until(() => guarded.handled[free] === 1, waitMs, 'the protocol that needs no admission')
  await until(() => visitors(guarded) === 1, waitMs, 'the gate knows of it')
  await guarded.pubsub.publish(topic, text('secret'))
  await stranger.pubsub.publish(topic, text('junk'))
  assert.deepEqual(guarded.pubsub.getPeers(), [])
  guarded.clock.advance(2_000)
  await until(() => isOver(stream), waitMs, 'the waiting stream ends')
  assert.deepEqual([guarded.handled[echo], guarded.heard, stranger.heard], [0, [], []])
  assert.deepEqual(stranger.pubsub.getSubscribers(topic), [])
  await open.close()
})

test('an admitted peer: what waited runs, and gossip passes both ways', async () => {
  await using guarded = await startPeer({})
  await using peer = await startPeer(undefined)
  const connection = await meet(peer, guarded)
  await connection.newStream(echo)
  guarded.gate().admit(peer.id)
  await until(() => guarded.handled[echo] === 1, waitMs, 'the stream that waited')
  await until(() => peer.pubsub.getSubscribers(topic).length === 1, waitMs, 'subscriptions of the guarded')
  await until(() => guarded.pubsub.getSubscribers(topic).length === 1, waitMs, 'subscriptions of the other')
  await guarded.pubsub.publish(topic, text('one'))
  await peer.pubsub.publish(topic, text('two'))
  await until(() => peer.heard.length === 1 && guarded.heard.length === 1, waitMs, 'messages both ways')
})

test('two guarded peers: neither opens a stream to the other before it has admitted it', async () => {
  await using one = await startPeer({})
  await using other = await startPeer({})
  const connection = await meet(one, other)
  await until(() => visitors(one) === 1 && visitors(other) === 1, waitMs, 'both gates know of the other')
  const protocols = () => connection.streams.map(({ protocol }) => protocol).filter((name) => name.includes('meshsub'))
  assert.deepEqual(protocols(), [])
  one.gate().admit(other.id)
  other.gate().admit(one.id)
  await until(() => one.pubsub.getSubscribers(topic).length === 1, waitMs, 'gossip')
  assert.ok(protocols().length > 0)
})

test('more streams than may wait: the further ones end at once', async () => {
  await using guarded = await startPeer({})
  await using stranger = await startPeer(undefined)
  const connection = await meet(stranger, guarded)
  const streams = await Promise.all(Array.from({ length: 12 }, () => connection.newStream(echo)))
  await until(() => streams.filter(isOver).length >= 4, waitMs, 'the further ones end')
  assert.equal(guarded.handled[echo], 0)
})

test('a peer that disconnects: its place is free; at the capacity a further peer stays outside', async () => {
  await using guarded = await startPeer({ capacity: 1 })
  await using first = await startPeer(undefined)
  const connection = await meet(first, guarded)
  await until(() => visitors(guarded) === 1, waitMs, 'the first')
  await using second = await startPeer(undefined)
  const other = await meet(second, guarded)
  guarded.gate().admit(second.id)
  assert.equal(guarded.gate().isAdmitted(second.id), false)
  const stream = await other.newStream(echo)
  await until(() => isOver(stream), waitMs, 'the stream of the second ends')
  await connection.close()
  await until(() => visitors(guarded) === 0, waitMs, 'the place of the first is free')
})
