import assert from 'node:assert/strict'
import { test } from 'node:test'
import { identify } from '@libp2p/identify'
import { quic } from '@libp2p/quic'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import type { SpanEffect } from '../../catalogue/span-effect.ts'
import { Owner } from '../../core/owner.ts'
import { until } from '../../processes/waiting.ts'
import { udpRelay } from '../../testing/cluster/udp-relay.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { VirtualClock } from '../../testing/sim/virtual-clock.ts'
import { startApp } from '../../testing/suite/mesh-app.ts'
import { collectNative, listenOn } from '../../testing/suite/real-world.ts'
import type { TracemeshComponents } from '../components.ts'
import { silentLibp2p } from '../libp2p-logger.ts'
import { QuicAccepts, Turns } from './quic-accepts.ts'

collectNative(30_000)
leakCheck()

async function startStock(listen: readonly string[] = []) {
  const quicOptions: object = { shutdownTimeout: 100 }
  return createLibp2p({
    addresses: { listen: [...listen] },
    transports: [quic(quicOptions)],
    logger: silentLibp2p,
    services: { identify: identify() },
  })
}

/** Whether a peer reaches this address over QUIC within 2 s while the handshake of another one is stalled. */
async function isReachableBesideStalled(address: string): Promise<boolean> {
  await using relay = await udpRelay(Number(/\/udp\/(\d+)\//.exec(address)?.[1]), { oneWay: true })
  const [stalled, honest] = [await startStock(), await startStock()]
  const abort = new AbortController()
  const stall = stalled.dial(multiaddr(`/ip4/127.0.0.1/udp/${relay.port}/quic-v1`), { signal: abort.signal })
  try {
    await until(() => relay.answered() > 0, 30_000, 'the listener answers the handshake')
    await honest.dial(multiaddr(address), { signal: AbortSignal.timeout(2_000) })
    return true
  } catch {
    return false
  } finally {
    abort.abort()
    await Promise.allSettled([stall, stalled.stop(), honest.stop()])
  }
}

test('a stalled QUIC handshake: another peer reaches an application with the mesh', async () => {
  await using app = await startApp({}, { listen: listenOn.quic })
  assert.equal(await isReachableBesideStalled(String(app.libp2p.getMultiaddrs()[0])), true)
})

test('negative control: without the mesh it does not', async () => {
  const stock = await startStock([listenOn.quic])
  try {
    assert.equal(await isReachableBesideStalled(String(stock.getMultiaddrs()[0])), false)
  } finally {
    await stock.stop()
  }
})

/** A QUIC listener whose handshakes the test ends, and those that it has accepted. */
function fakeListener() {
  const handshakes: (() => void)[] = []
  class Native {
    accepted = 0
    inboundConnection() {
      return new Promise<void>((resolve) => void handshakes.push(() => resolve()))
    }
    stats() {
      return { acceptedHandshakes: this.accepted }
    }
  }
  const native = new Native()
  const listener = {
    state: { listener: native as Native | undefined },
    getAddrs: () => [multiaddr(listenOn.quic)],
    async awaitInboundConnections() {
      while (true) await listener.state.listener?.inboundConnection()
    },
  }
  const finish = (index = 0) => handshakes.splice(index, 1)[0]?.()
  return { listener, native, finish, pending: () => handshakes.length }
}

function watch(listener: object, began: () => void = () => {}) {
  const clock = new VirtualClock()
  const owner = new Owner('n', clock)
  const spans: SpanEffect[] = []
  const events = new EventTarget()
  began()
  const components = { events, transportManager: { getListeners: () => [listener] } } as never
  const emitSpan = (span: SpanEffect) => spans.push(span)
  const accepts = new QuicAccepts({ owner, clock, components, handshakes: 20, emitSpan })
  accepts.start()
  const counts = () => spans.flatMap((one) => (one.span === 'mesh.handshake.stalled' ? [one.attributes] : []))
  return { clock, owner, accepts, counts }
}

const settle = () => new Promise(setImmediate)

test('four handshakes of which two finish, a later one first: two are reported, and each listener is widened once', async () => {
  const { listener, native, finish, pending } = fakeListener()
  void listener.awaitInboundConnections()
  const { clock, owner, accepts, counts } = watch(listener)
  accepts.start()
  assert.equal(pending(), 16)
  native.accepted = 4
  clock.advance(3_000)
  finish(7)
  await settle()
  finish()
  await settle()
  assert.equal(pending(), 16)
  clock.advance(6_000)
  assert.deepEqual(counts(), [
    {
      'mesh.listener.address': listenOn.quic,
      'mesh.handshake.count': 2,
      'mesh.handshake.age_ms': 4_000,
      'mesh.handshake.capacity': 20,
    },
  ])
  await owner.close()
  assert.equal(clock.pending, 0)
})

test('16 handshakes in progress: the listener takes up to its limit within 3 s, and counts as before', async () => {
  const { listener, native, finish, pending } = fakeListener()
  void listener.awaitInboundConnections()
  const { clock, owner, counts } = watch(listener)
  assert.equal(pending(), 16)
  native.accepted = 15
  clock.advance(3_000)
  assert.equal(pending(), 16)
  native.accepted = 16
  clock.advance(3_000)
  assert.equal(pending(), 20)
  for (let i = 0; i < 15; i++) {
    finish()
    await settle()
    clock.advance(1)
  }
  clock.advance(9_000)
  assert.deepEqual(
    counts().map((one) => one['mesh.handshake.count']),
    [1],
  )
  await owner.close()
})

test('a handshake in progress when the count begins, and that finishes: none is reported, and none is missed later', async () => {
  const { listener, native, finish } = fakeListener()
  const { clock, owner, counts } = watch(listener, () => {
    void listener.awaitInboundConnections()
    native.accepted = 1
  })
  finish()
  await settle()
  clock.advance(21_000)
  assert.deepEqual(counts(), [])
  native.accepted = 2
  clock.advance(9_000)
  assert.deepEqual(
    counts().map((one) => one['mesh.handshake.count']),
    [1],
  )
  listener.state.listener = undefined
  clock.advance(1_000)
  await settle()
  assert.equal(clock.pending, 0, 'a closed listener is no longer polled')
  await owner.close()
})

test('the stop: restores the method of the listener', async () => {
  const { listener, native } = fakeListener()
  void listener.awaitInboundConnections()
  const { owner } = watch(listener)
  assert.ok(Object.hasOwn(native, 'inboundConnection'))
  await owner.close()
  assert.ok(!Object.hasOwn(native, 'inboundConnection'))
})

test('the option watchdog: without it the QUIC listener of the application stays as it is', async () => {
  for (const watchdog of [true, false]) {
    await using app = await startApp({ watchdog }, { listen: listenOn.quic })
    const { components } = app.libp2p as unknown as { components: TracemeshComponents }
    const [listener] = components.transportManager.getListeners() as unknown as { state: { listener: object } }[]
    assert.equal(Object.hasOwn(listener?.state.listener ?? {}, 'inboundConnection'), watchdog)
  }
})

test('a listener of another shape: left alone', async () => {
  const { owner, clock } = watch({ state: { listener: {} }, getAddrs: () => [] })
  assert.equal(clock.pending, 0)
  await owner.close()
})

test('turns: one caller passes in each turn of the event loop, in order; all pass when the owner closes', async () => {
  const clock = new VirtualClock()
  const owner = new Owner('node', clock)
  const turns = new Turns(owner)
  const passed: number[] = []
  const enter = (caller: number) => void turns.next().then(() => passed.push(caller))
  const settle = async () => {
    for (let i = 0; i < 4; i++) await Promise.resolve()
  }
  for (const caller of [1, 2, 3, 4]) enter(caller)
  await settle()
  assert.deepEqual(passed, [1])
  clock.advance(1)
  await settle()
  assert.deepEqual(passed, [1, 2])
  void owner.close()
  await settle()
  assert.deepEqual(passed, [1, 2, 3, 4])
  enter(5)
  await settle()
  assert.deepEqual(passed, [1, 2, 3, 4, 5], 'a closed owner holds nobody')
})
