import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { identify } from '@libp2p/identify'
import type { Connection, Libp2p, Stream } from '@libp2p/interface'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { parseAddress } from '../../core/address.ts'
import { limits } from '../../core/limits.ts'
import type { TracemeshComponents } from '../../kit/components.ts'
import type { InternalInit } from '../../kit/init.ts'
import { until } from '../../processes/waiting.ts'
import { type App, loopbackSettings, startApp } from '../suite/mesh-app.ts'
import { sampleMost } from '../suite/suite-steps.ts'

// Loads that would exceed each limit of a node: limit-load [HOST], where HOST is an address of this machine that is not
// loopback. Prints one line per limit: the most that any turn of the event loop saw, what was asked for, and the refusal.

const [host] = process.argv.slice(2)
const waitMs = 20_000
const sink = '/test/sink/1.0.0'
const loopbackTcp = '/ip4/127.0.0.1/tcp/0'
const loopbackQuic = '/ip4/127.0.0.1/udp/0/quic-v1'

/** One limit under load. */
interface Load {
  readonly limit: string
  readonly value: number
  readonly init: InternalInit
  readonly listen?: string
  /** The current number, read from libp2p itself where it knows it. */
  readonly read: (app: App) => number
  readonly run: (app: App) => Promise<void>
}

const loads: readonly Load[] = [
  {
    limit: 'pendingInbound',
    value: 54,
    init: { connectionsHigh: 8 },
    read: ({ mesh }) => mesh.limitUsage()?.pendingInbound ?? 0,
    run: (app) => withSlowHandshakes(app, 150, () => refused(app, 'pendingInbound')),
  },
  {
    limit: 'pendingOutbound',
    value: 54,
    init: { connectionsHigh: 8 },
    read: ({ mesh }) => mesh.limitUsage()?.pendingOutbound ?? 0,
    run: (app) => withUnansweredDials(app, 150, () => refused(app, 'pendingOutbound')),
  },
  {
    limit: 'connections',
    value: 108,
    init: { connectionsHigh: 8 },
    read: ({ mesh }) => mesh.limitUsage()?.connections ?? 0,
    run: async (app) => {
      // Open connections first: half of the places for handshakes, and half for dials, are all of them.
      await withPeers(6, loopbackTcp, async (peers) => {
        await dialAll(peers, app)
        const dial = () => withUnansweredDials(app, 100, () => refused(app, 'connections'))
        await withSlowHandshakes(app, 100, () => refused(app, 'pendingInbound').then(dial))
      })
    },
  },
  {
    limit: 'peers',
    value: 4,
    init: { connectionsHigh: 4, neighbours: 0 },
    read: settledPeers,
    run: (app) =>
      withPeers(12, loopbackTcp, async (peers) => {
        await dialAll(peers, app)
        await until(() => settledPeers(app) >= 4, waitMs, 'peers')
        await dialAll(peers, app)
      }),
  },
  ...[loopbackTcp, loopbackQuic].map(
    (listen): Load => ({
      limit: 'linksPerPeer',
      value: limits.linksPerPeer,
      init: { connectionsHigh: 50 },
      listen,
      read: ({ libp2p }) => libp2p.getConnections().length,
      run: (app) =>
        withPeers(1, listen, async ([peer]) => {
          if (peer === undefined) return
          for (let n = 0; n < 5; n++) await peer.dial(addressOf(app.libp2p), { force: true }).catch(() => {})
          for (let n = 0; n < 5; n++) await app.libp2p.dial(addressOf(peer), { force: true }).catch(() => {})
        }),
    }),
  ),
  ...[loopbackTcp, loopbackQuic].flatMap((listen): Load[] => [
    {
      limit: 'streamsPerPeer',
      value: 16,
      init: { streamsPerPeer: 16, neighbours: 0 },
      listen,
      read: ({ libp2p }) => countStreams(libp2p.getConnections()),
      run: (app) => openStreamsBothWays(app, listen, 14),
    },
    {
      limit: 'streamsPerProtocol',
      value: 3,
      init: { streamsPerProtocol: 3, neighbours: 0 },
      listen,
      read: ({ libp2p }) => mostOfOneProtocol(libp2p.getConnections()),
      run: (app) => openStreamsBothWays(app, listen, 8),
    },
    {
      limit: 'bufferedBytes',
      value: 4 * 1_048_576,
      init: { bufferedBytes: 4 * 1_048_576, neighbours: 0 },
      listen,
      read: ({ libp2p }) => bufferedIn(libp2p.getConnections()),
      run: (app) => writeToDeafPeer(app, listen),
    },
  ]),
  ...(host === undefined
    ? []
    : [
        {
          limit: 'inboundRate',
          value: 20,
          init: { inboundRate: 20 },
          listen: `/ip4/${host}/tcp/0`,
          read: arrivalsPerSecond(),
          run: (app: App) => withSlowHandshakes(app, 60, () => refused(app, 'inboundRate')),
        },
        {
          limit: 'connectionsPerAddress',
          value: 6,
          init: { connectionsPerAddress: 6, neighbours: 0 },
          listen: `/ip4/${host}/tcp/0`,
          read: ({ libp2p }: App) => libp2p.getConnections().length,
          run: (app: App) =>
            withPeers(10, `/ip4/${host}/tcp/0`, async (peers) => {
              await dialAll(peers.slice(0, 4), app)
              for (const peer of peers.slice(4)) await app.libp2p.dial(addressOf(peer)).catch(() => {})
              await dialAll(peers, app)
            }),
        },
      ]),
]

for (const { limit, value, init, listen = loopbackTcp, read, run } of loads) {
  const app = await startApp({ neighbours: 0, ...init }, { listen })
  try {
    const most = await sampleMost(
      () => read(app),
      async () => {
        await run(app)
        await refused(app, limit)
      },
    )
    const transport = listen.includes('quic') ? 'quic' : 'tcp'
    print({ limit, transport, value, most, refusals: countOf(app, limit), refusal: refusalOf(app, limit) })
  } finally {
    await app.libp2p.stop()
  }
}
await fillHeap()
if (host !== undefined) await joinBehindOneAddress(host)

function print(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`)
}

function refusalOf(app: App, limit: string) {
  return app.spansNamed('mesh.limit.reached').find(({ attributes }) => attributes['mesh.limit.name'] === limit)
    ?.attributes
}

async function refused(app: App, limit: string): Promise<void> {
  await until(() => refusalOf(app, limit) !== undefined, waitMs, `a refusal of ${limit}`)
}

/** Members and guests; further peers only wait for their goodbye. */
function settledPeers({ mesh }: App): number {
  return mesh.topology().peers.filter(({ kind }) => kind !== 'unsettled').length
}

function countOf(app: App, limit: string): number {
  return (app.mesh.limitCounts() as Readonly<Record<string, number>>)[limit] ?? 0
}

function addressOf(libp2p: Pick<Libp2p, 'getMultiaddrs'>): Multiaddr {
  return multiaddr(String(libp2p.getMultiaddrs()[0]))
}

async function withPeers(
  count: number,
  listen: string,
  run: (peers: readonly Libp2p[]) => Promise<void>,
): Promise<void> {
  const peers = await Promise.all(Array.from({ length: count }, () => createPeer(listen)))
  try {
    await Promise.all(peers.map((peer) => peer.start()))
    await run(peers)
  } finally {
    await Promise.all(peers.map((peer) => peer.stop()))
  }
}

async function createPeer(listen: string) {
  return createLibp2p({ ...(await loopbackSettings(listen)), services: { identify: identify() } })
}

async function dialAll(peers: readonly Libp2p[], app: App): Promise<void> {
  await Promise.allSettled(peers.map((peer) => peer.dial(addressOf(app.libp2p))))
  // A listener may close a connection after the dial has returned.
  await new Promise((resolve) => setTimeout(resolve, 200))
}

/** TCP connections whose other end never begins the handshake. */
async function withSlowHandshakes(app: App, count: number, run: () => Promise<void>): Promise<void> {
  const to = parseAddress(String(addressOf(app.libp2p)))
  const sockets: Socket[] = []
  for (let n = 0; n < count; n++) sockets.push(connect(to.port, to.host).on('error', () => {}))
  try {
    await until(() => (app.mesh.limitUsage()?.pendingInbound ?? 0) > 0, waitMs, 'handshakes')
    await run()
  } finally {
    for (const socket of sockets) socket.destroy()
  }
}

/** Dials to a listener that stays silent, all through libp2p's own way to a transport. */
async function withUnansweredDials(app: App, count: number, run: () => Promise<void>): Promise<void> {
  const silent = createServer(() => {}).listen(0, '127.0.0.1')
  await once(silent, 'listening')
  const abort = new AbortController()
  const { transportManager } = (app.libp2p as unknown as { components: TracemeshComponents }).components
  const address = multiaddr(`/ip4/127.0.0.1/tcp/${(silent.address() as AddressInfo).port}`)
  const dial = () => transportManager.dial(address, { signal: abort.signal })
  const results = Promise.allSettled(Array.from({ length: count }, dial))
  try {
    await run()
    await new Promise((resolve) => setTimeout(resolve, 100))
  } finally {
    abort.abort()
    await results
    silent.close()
  }
}

async function openStreamsBothWays(app: App, listen: string, count: number): Promise<void> {
  await withPeers(1, listen, async ([peer]) => {
    if (peer === undefined) return
    await app.libp2p.handle(sink, () => {})
    await peer.handle(sink, () => {})
    const theirs = [await peer.dial(addressOf(app.libp2p)), await peer.dial(addressOf(app.libp2p), { force: true })]
    for (const connection of theirs) await openStreams(connection, count)
    for (const connection of app.libp2p.getConnections()) await openStreams(connection, count)
  })
}

async function openStreams(connection: Connection, count: number): Promise<readonly Stream[]> {
  const open = () => connection.newStream(sink, { signal: AbortSignal.timeout(1_000) })
  const results = await Promise.allSettled(Array.from({ length: count }, open))
  return results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
}

async function writeToDeafPeer(app: App, listen: string): Promise<void> {
  await withPeers(1, listen, async ([peer]) => {
    if (peer === undefined) return
    await peer.handle(sink, (stream) => stream.pause())
    const streams = await openStreams(await app.libp2p.dial(addressOf(peer)), 6)
    for (let n = 0; n < 60; n++) {
      for (const stream of streams) if (stream.writeStatus === 'writable') sendQuietly(stream)
      await new Promise((resolve) => setImmediate(resolve))
    }
  })
}

function sendQuietly(stream: Stream): void {
  try {
    stream.send(new Uint8Array(262_144))
  } catch {
    // The node has reset it.
  }
}

function countStreams(connections: readonly Connection[]): number {
  return connections.reduce((sum, { streams }) => sum + streams.length, 0)
}

function mostOfOneProtocol(connections: readonly Connection[]): number {
  return Math.max(
    0,
    ...connections.flatMap(({ streams }) =>
      (['inbound', 'outbound'] as const).map(
        (direction) => streams.filter((one) => one.direction === direction && one.protocol === sink).length,
      ),
    ),
  )
}

function bufferedIn(connections: readonly Connection[]): number {
  return connections
    .flatMap(({ streams }) => streams)
    .reduce((sum, { readBufferLength, writeBufferLength }) => sum + readBufferLength + writeBufferLength, 0)
}

/** The connections accepted within the second before, none of which closes meanwhile; less the time of a turn. */
function arrivalsPerSecond(): (app: App) => number {
  const arrivals: number[] = []
  return ({ mesh }) => {
    const now = performance.now()
    const pending = mesh.limitUsage()?.pendingInbound ?? 0
    while (arrivals.length < pending) arrivals.push(now)
    return arrivals.filter((at) => now - at < 900).length
  }
}

async function succeeds(attempt: Promise<unknown>): Promise<boolean> {
  return attempt.then(
    () => true,
    () => false,
  )
}

/** With most of the heap in use the node accepts nobody, and still dials; afterwards it accepts again. */
async function fillHeap(): Promise<void> {
  const app = await startApp({ heapPercent: 60, neighbours: 0 }, { listen: loopbackTcp })
  let ballast: number[][] = []
  const isFull = () => refusalOf(app, 'heapPercent') !== undefined
  try {
    await withPeers(2, loopbackTcp, async ([first, second]) => {
      if (first === undefined || second === undefined) return
      await first.dial(addressOf(app.libp2p))
      await until(() => app.libp2p.getConnections().length === 1, waitMs, 'a connection before')
      const dialSecond = () => second.dial(addressOf(app.libp2p), { force: true, signal: AbortSignal.timeout(2_000) })
      for (let n = 0; n < 400 && !isFull(); n++) {
        // Arrays of doubles are on the heap: half a megabyte each.
        ballast.push(Array.from({ length: 65_536 }, () => Math.random()))
        if (n % 10 === 9)
          await dialSecond().then(
            (one) => one.close(),
            () => {},
          )
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
      const outbound = await succeeds(app.libp2p.dial(addressOf(second)))
      ballast = []
      globalThis.gc?.()
      await new Promise((resolve) => setTimeout(resolve, 200))
      const accepted = await succeeds(first.dial(addressOf(app.libp2p), { force: true }))
      const refusal = refusalOf(app, 'heapPercent')
      print({
        limit: 'heapPercent',
        transport: 'tcp',
        value: 60,
        outbound,
        accepted,
        refusals: countOf(app, 'heapPercent'),
        refusal,
      })
    })
  } finally {
    await app.libp2p.stop()
  }
}

/** A mesh of 100 nodes behind one address joins a node: with its default limit, then with the one that the refusal names. */
async function joinBehindOneAddress(address: string): Promise<void> {
  const count = 100
  for (const connectionsPerAddress of [limits.connectionsPerAddress, 2 * count]) {
    const listen = `/ip4/${address}/tcp/0`
    const app = await startApp({ connectionsPerAddress, inboundRate: limits.inboundRate, neighbours: 0 }, { listen })
    try {
      await withPeers(count, listen, async (peers) => {
        for (let n = 0; n < count; n += 20) await dialAll(peers.slice(n, n + 20), app)
        const refusal = refusalOf(app, 'connectionsPerAddress')
        const joined = app.libp2p.getPeers().length
        print({ nat: connectionsPerAddress, joined, count, setting: refusal?.['mesh.limit.setting'] })
      })
    } finally {
      await app.libp2p.stop()
    }
  }
}
