import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { suite, test } from 'node:test'
import type { Connection, Libp2p, Stream } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { parseAddress } from '../../core/address.ts'
import { isMeshError } from '../../core/errors.ts'
import { limits } from '../../core/limits.ts'
import { Owner } from '../../core/owner.ts'
import { until } from '../../processes/waiting.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { VirtualClock } from '../../testing/sim/virtual-clock.ts'
import { type App, loopbackSettings, startApp } from '../../testing/suite/mesh-app.ts'
import { collectNative, listenOn, type Transport } from '../../testing/suite/real-world.ts'
import { sampleMost } from '../../testing/suite/suite-steps.ts'
import type { TracemeshComponents } from '../components.ts'
import { connectionInternals } from '../connections/connection-internals.ts'
import type { InternalInit } from '../init.ts'
import { Admission, type ResourceCaps } from './admission.ts'

collectNative()
leakCheck()

const waitMs = 15_000
const sink = '/test/sink/1.0.0'

/** A plain libp2p that dials the application as often as a test wants. */
async function startDialler(transport: Transport) {
  const libp2p = await createLibp2p(await loopbackSettings(listenOn[transport]))
  await libp2p.start()
  return { libp2p, [Symbol.asyncDispose]: async () => libp2p.stop() }
}

const dial = (libp2p: Pick<Libp2p, 'dial'>, app: Pick<App, 'libp2p'>) =>
  libp2p.dial(multiaddr(String(app.libp2p.getMultiaddrs()[0])), { force: true })

const refusals = (app: App) => app.spansNamed('mesh.limit.reached').map(({ attributes }) => attributes)
const isTold = (app: App, limit: string) => refusals(app).some((one) => one['mesh.limit.name'] === limit)

/** An application that asked for these limits. */
const startLimited = (transport: Transport, init: InternalInit) =>
  startApp({ neighbours: 0, ...init }, { listen: listenOn[transport], gossip: false })

for (const transport of ['tcp', 'quic'] as const)
  suite(`limits over ${transport}`, () => {
    test('this version of libp2p has the private members that the limits need', async () => {
      await using app = await startLimited(transport, { connectionsHigh: 2 })
      await using other = await startDialler(transport)
      const connection = await dial(other.libp2p, app)
      assert.ok(connectionInternals(connection))
    })

    test('one peer opens more connections than it may: the node keeps the limit, and tells the refusal', async () => {
      await using app = await startLimited(transport, { connectionsHigh: 50 })
      await using other = await startDialler(transport)
      const most = await sampleMost(
        () => app.libp2p.getConnections().length,
        async () => {
          await dialInTurn(other.libp2p, app, 2 * limits.linksPerPeer)
          await until(() => isTold(app, 'linksPerPeer'), waitMs, 'a refusal')
        },
      )
      assert.ok(most <= limits.linksPerPeer && most > 1, `${most} connections`)
      await until(() => listed(app) === app.libp2p.getConnections().length, waitMs, 'libp2p forgets the refused ones')
    })

    test('the node itself dials a peer more often than it may: the dial fails with the limit', async () => {
      await using app = await startLimited(transport, { connectionsHigh: 50 })
      await using other = await startDialler(transport)
      const address = multiaddr(String(other.libp2p.getMultiaddrs()[0]))
      const errors: unknown[] = []
      // In turn: libp2p joins dials of one peer that run at the same time.
      for (let n = 0; n < 2 * limits.linksPerPeer; n++)
        await app.libp2p.dial(address, { force: true }).catch((error: unknown) => errors.push(error))
      assert.ok(errors.length > 0, 'a dial fails')
      for (const error of errors) {
        assert.ok(isMeshError(error, 'MESH_LIMIT_REACHED'), String(error))
        assert.equal(error.detail.limit, 'linksPerPeer')
      }
    })

    test('a peer opens more streams than it may: the node keeps the limit over all its connections', async () => {
      await using app = await startLimited(transport, { streamsPerPeer: 16 })
      await using other = await startDialler(transport)
      await app.libp2p.handle(sink, () => {})
      const connections = [await dial(other.libp2p, app), await dial(other.libp2p, app)]
      const count = () => countStreams(app.libp2p.getConnections())
      const most = await sampleMost(count, async () => {
        for (const connection of connections)
          await Promise.allSettled(Array.from({ length: 12 }, () => openStream(connection)))
        await until(() => isTold(app, 'streamsPerPeer'), waitMs, 'a refusal')
      })
      assert.ok(most <= 16 && most > 8, `${most} streams`)
    })

    test('the node itself opens more streams to a peer than it may: the limit holds, and the opening fails', async () => {
      await using app = await startLimited(transport, { streamsPerPeer: 16 })
      await using other = await startDialler(transport)
      await other.libp2p.handle(sink, () => {})
      await dial(other.libp2p, app)
      await until(() => app.libp2p.getConnections().length === 1, waitMs, 'the connection')
      const [connection] = app.libp2p.getConnections()
      assert.ok(connection)
      const results = await Promise.allSettled(Array.from({ length: 24 }, () => openStream(connection)))
      const errors = results.flatMap((one) => (one.status === 'rejected' ? [one.reason.message] : []))
      assert.ok(errors.length >= 8)
      assert.match(errors[0], /^limit reached: streamsPerPeer \(16\); MESH_STREAMS_PER_PEER raises it$/)
      assert.ok(countStreams([connection]) <= 16)
    })

    test('more streams of one protocol than it may: libp2p refuses them, and the node tells it, in both directions', async () => {
      await using app = await startLimited(transport, { streamsPerProtocol: 3 })
      await using other = await startDialler(transport)
      for (const { libp2p } of [app, other]) await libp2p.handle(sink, () => {})
      const connection = await dial(other.libp2p, app)
      for (let n = 0; n < 6; n++) await openStream(connection).catch(() => {})
      await until(() => isTold(app, 'streamsPerProtocol'), waitMs, 'a refusal')
      const [own] = app.libp2p.getConnections()
      assert.ok(own)
      const results = await Promise.allSettled(Array.from({ length: 6 }, () => openStream(own)))
      assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 3)
      assert.ok((app.mesh.limitCounts().streamsPerProtocol ?? 0) >= 6)
    })

    test('more streams of a protocol than its handler accepts: libp2p’s refusal is no limit of the node', async () => {
      await using app = await startLimited(transport, { streamsPerProtocol: 3 })
      await using other = await startDialler(transport)
      await app.libp2p.handle(sink, () => {}, { maxInboundStreams: 1 })
      const connection = await dial(other.libp2p, app)
      const streams = [await openStream(connection), await openStream(connection)]
      for (const stream of streams) sendQuietly(stream, new Uint8Array(1))
      await until(() => countStreams(app.libp2p.getConnections()) === 1, waitMs, 'the refusal')
      assert.deepEqual(refusals(app), [])
    })

    test('a peer that reads nothing: the node resets its streams before their buffers exceed the limit', async () => {
      const bufferedBytes = 4 * 1_048_576
      await using app = await startLimited(transport, { bufferedBytes })
      await using other = await startDialler(transport)
      await other.libp2p.handle(sink, (stream) => stream.pause())
      await dial(other.libp2p, app)
      await until(() => app.libp2p.getConnections().length === 1, waitMs, 'the connection')
      const [connection] = app.libp2p.getConnections()
      assert.ok(connection)
      const streams = await Promise.all(Array.from({ length: 4 }, () => openStream(connection)))
      let most = 0
      for (let n = 0; n < 40; n++) {
        for (const stream of streams) sendQuietly(stream, new Uint8Array(262_144))
        most = Math.max(most, bufferedIn(app.libp2p.getConnections()))
      }
      assert.ok(most <= bufferedBytes && most > bufferedBytes / 2, `${most} bytes`)
      const refusal = refusals(app).find((one) => one['mesh.limit.name'] === 'bufferedBytes')
      assert.equal(refusal?.['mesh.limit.action'], 'closed')
      assert.equal(refusal?.['mesh.peer.id'], other.libp2p.peerId.toString())
    })
  })

test('slow handshakes and dials that do not end: each half, and all together, stay within their limits', async () => {
  // 2 peers: 102 connections, 51 of them pending in each direction.
  const [total, half] = [102, 51]
  await using app = await startApp({ connectionsHigh: 2 }, { gossip: false })
  const { port } = parseAddress(String(app.libp2p.getMultiaddrs()[0]))
  const usage = () => app.mesh.limitUsage() ?? { connections: 0, pendingInbound: 0, pendingOutbound: 0 }
  // A listener that accepts and stays silent.
  const silent = createServer(() => {}).listen(0, '127.0.0.1')
  await once(silent, 'listening')
  const abort = new AbortController()
  const sockets: Socket[] = []
  try {
    for (let n = 0; n < 2 * half; n++) sockets.push(connect(port, '127.0.0.1').on('error', () => {}))
    await until(() => isTold(app, 'pendingInbound'), waitMs, 'a refused handshake')
    assert.equal(usage().pendingInbound, half)
    const address = multiaddr(`/ip4/127.0.0.1/tcp/${(silent.address() as AddressInfo).port}`)
    const { transportManager } = componentsOf(app)
    const dials = Array.from({ length: 2 * half }, () => transportManager.dial(address, { signal: abort.signal }))
    const results = Promise.allSettled(dials)
    await until(() => isTold(app, 'pendingOutbound'), waitMs, 'a refused dial')
    assert.equal(usage().pendingOutbound, half)
    assert.ok(usage().connections <= total)
    abort.abort()
    const reasons = (await results).flatMap((one) => (one.status === 'rejected' ? [String(one.reason.message)] : []))
    assert.ok(reasons.includes(`limit reached: pendingOutbound (${half}); MESH_CONNECTIONS_HIGH raises it`))
  } finally {
    for (const socket of sockets) socket.destroy()
    silent.close()
  }
  await until(() => usage().connections === 0 && usage().pendingInbound === 0, waitMs, 'free places')
  const counted = () => app.spansNamed('mesh.audit').at(-1)?.attributes['mesh.audit.limits'] ?? []
  const isCounted = (limit: string) =>
    counted().some((line) => new RegExp(`^${limit} [1-9]\\d* \\d+/${half}$`).test(line))
  await until(() => isCounted('pendingInbound') && isCounted('pendingOutbound'), waitMs, 'the refusals in the census')
})

test('a heap above its percentage: inbound connections are refused, dials are not', async () => {
  let heap = 90
  const { accept, dialOut, clock, owner, refusedLimits } = startOnFake({ heapPercent: 85 }, () => heap)
  await assert.rejects(accept(), { message: 'limit reached: heapPercent (85); MESH_HEAP_PERCENT raises it' })
  await dialOut()
  heap = 60
  await assert.rejects(accept(), 'the reading is 100 ms old at most')
  clock.advance(100)
  await accept()
  assert.deepEqual(refusedLimits, ['heapPercent', 'heapPercent'])
  await owner.close()
  heap = 90
  clock.advance(100)
  await accept()
})

test('one address connects faster than its rate: refused with the setting; loopback is not', async () => {
  const { accept, owner, refusedLimits } = startOnFake({ inboundRate: 3 })
  for (let n = 0; n < 3; n++) await accept()
  await assert.rejects(accept(), { message: 'limit reached: inboundRate (3); MESH_INBOUND_RATE raises it' })
  for (let n = 0; n < 5; n++) await accept('127.0.0.1')
  assert.deepEqual(refusedLimits, ['inboundRate'])
  await owner.close()
})

test('an application that asked for no limit: libp2p stays as it is', async () => {
  await using app = await startLimited('tcp', {})
  await using other = await startDialler('tcp')
  await Promise.all(Array.from({ length: 8 }, () => dial(other.libp2p, app)))
  assert.deepEqual(app.mesh.limitUsage(), {
    connections: 0,
    pendingInbound: 0,
    pendingOutbound: 0,
    mostPerAddress: 0,
    mostPerPeer: 0,
    bufferedBytes: 0,
  })
})

async function dialInTurn(libp2p: Pick<Libp2p, 'dial'>, app: App, times: number): Promise<void> {
  for (let n = 0; n < times; n++) await dial(libp2p, app).catch(() => {})
}

/** Connections that the transport's listener holds, in its private members. */
function listed(app: App): number {
  const [listener] = componentsOf(app).transportManager.getListeners()
  const { sockets, state } = listener as unknown as { sockets?: Set<unknown>; state?: { connections: Set<unknown> } }
  return (sockets ?? state?.connections)?.size ?? 0
}

/** The parts of libp2p that its services get. */
const componentsOf = ({ libp2p }: App) => (libp2p as unknown as { components: TracemeshComponents }).components

function startOnFake(caps: ResourceCaps, heapUse: () => number = () => 0) {
  const { components, accept, dial: dialOut } = fakeLibp2p()
  const refusedLimits: string[] = []
  const clock = new VirtualClock()
  const owner = new Owner('node', clock)
  const onRefused = (limit: string) => void refusedLimits.push(limit)
  new Admission({ components, owner, clock, onRefused, onUnknownLibp2p: () => {}, caps, heapUse }).start()
  return { accept, dialOut, clock, owner, refusedLimits }
}

function fakeLibp2p() {
  const maConn = (host = '10.0.0.1') =>
    Object.assign(new EventTarget(), { status: 'open', remoteAddr: multiaddr(`/ip4/${host}/tcp/1`) })
  const upgrader = { upgradeInbound: async () => {}, upgradeOutbound: async () => ({}) }
  const transportManager = {
    dial: async () => upgrader.upgradeOutbound.call(upgrader, ...([maConn(), {}] as unknown as [])),
  }
  const components = { upgrader, transportManager, events: new EventTarget() } as unknown as TracemeshComponents
  return {
    components,
    accept: (host?: string) => upgrader.upgradeInbound(...([maConn(host), {}] as unknown as [])),
    dial: () => components.transportManager.dial(multiaddr('/ip4/10.0.0.2/tcp/1')),
  }
}

function openStream(connection: Connection): Promise<Stream> {
  return connection.newStream(sink, { signal: AbortSignal.timeout(waitMs) })
}

const countStreams = (connections: readonly Connection[]) =>
  connections.reduce((sum, { streams }) => sum + streams.length, 0)

const bufferedIn = (connections: readonly Connection[]) =>
  connections
    .flatMap(({ streams }) => streams)
    .reduce((sum, { readBufferLength, writeBufferLength }) => sum + readBufferLength + writeBufferLength, 0)

function sendQuietly(stream: Stream, data: Uint8Array): void {
  try {
    stream.send(data)
  } catch {
    // The node has reset it.
  }
}
