import { setTimeout as sleep } from 'node:timers/promises'
import { identify } from '@libp2p/identify'
import type { Libp2p } from '@libp2p/interface'
import type { TransportManager } from '@libp2p/interface-internal'
import { noise } from '@libp2p/noise'
import { quic } from '@libp2p/quic'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { silentLibp2p } from '../../kit/libp2p-logger.ts'
import { connectionCaps } from '../../kit/limits/resource-caps.ts'
import { startCluster, until } from '../../testing/cluster/cluster.ts'
import { type UdpRelay, udpRelay } from '../../testing/cluster/udp-relay.ts'
import { endToEnd } from '../end-to-end.ts'
import { nameOf, numberOf, spansNamed, timeUntil } from '../evidence.ts'
import { atLeast, atMost, equals } from '../proof.ts'
import { isLinked, promptSpans } from './mesh.ts'

/** Stalled handshakes that a node is to bear without a failed dial, and those that take all its places. */
const few = 8
const connectionsHigh = 28
const places = connectionCaps(connectionsHigh).pendingInbound
const many = places + 16
const honestDials = 20
/** Limits, milliseconds: an honest dial, the span, and the link of a node that has both addresses. */
const limits = { dial: 2_000, emitted: 15_000, linked: 10_000 }

export const proof = endToEnd({
  name: 'stalled-handshake',
  about:
    'QUIC handshakes whose answers get lost: all other dials of the node succeed and a span reports it, where one of them blocks a stock js-libp2p node',
  quick: false,
  seconds: 75,
  async run({ progress, signal }) {
    const stock = await stockControl()
    progress(`stock: QUIC ${describeDial(stock.quic)}, TCP ${describeDial(stock.tcp)}`)
    await using cluster = await startCluster(promptSpans)
    const listen = [cluster.address('node'), cluster.address('node').replace(/udp\/(\d+)\/quic-v1/, 'tcp/$1')]
    const node = await cluster.node('node', {
      role: 'seed',
      listen,
      env: { MESH_CONNECTIONS_HIGH: String(connectionsHigh) },
    })
    const [quicAddress = '', tcpAddress = ''] = listen
    const before = await dialMany(quicAddress)
    await using relay = await relayTo(quicAddress)
    await using stalling = await stallHandshakes(relay, few)
    const since = Date.now()
    const during = await dialMany(quicAddress)
    progress(`${few} stalled: ${during.length} honest QUIC dials, slowest ${slowest(during)} ms`)
    const stalledSpans = () =>
      spansNamed(cluster.receiver.spans, 'mesh.handshake.stalled', 'node').filter(({ startMs }) => startMs >= since)
    const emittedMs = await timeUntil(limits.emitted, () => stalledSpans().length > 0)
    const [first] = stalledSpans()
    await using attack = await stallHandshakes(relay, many - few)
    await sleep(500, undefined, { signal })
    const full = { quic: await dialOnce(quicAddress, 3_000), tcp: await dialOnce(tcpAddress, 3_000) }
    progress(`${many} stalled: QUIC ${describeDial(full.quic)}, TCP ${describeDial(full.tcp)}`)
    const joined = performance.now()
    const joiner = await cluster.node('joiner', { seeds: listen })
    await until(() => isLinked(joiner, node), 30_000, 'a link over TCP')
    const linkedMs = Math.round(performance.now() - joined)
    await sleep(8_000, undefined, { signal })
    const highest = Math.max(...stalledSpans().map((span) => numberOf(span, 'mesh.handshake.count')))
    const onControl = spansNamed(cluster.receiver.spans, 'mesh.handshake.stalled').filter(
      (one) => nameOf(one) !== 'node',
    )
    await Promise.all([stalling.end(), attack.end()])
    const after = await until(async () => (await dialOnce(quicAddress, 2_000)).ms !== undefined, 40_000, 'QUIC again')
      .then(() => true)
      .catch(() => false)
    return {
      figures: { stock, before, during, emittedMs, full, linkedMs, highest, first: first?.attributes },
      checks: [
        equals(
          'stock: QUIC dial beside one stalled handshake',
          'failed',
          stock.quic.ms === undefined ? 'failed' : 'ok',
        ),
        atMost('stock: TCP dial beside it', limits.dial, stock.tcp.ms ?? Number.NaN, 'ms'),
        atLeast(`honest QUIC dials beside ${few} stalled handshakes`, honestDials, during.filter(isDone).length),
        atMost('the slowest of them', limits.dial, slowest(during), 'ms'),
        atMost('mesh.handshake.stalled arrives after', limits.emitted, emittedMs, 'ms'),
        equals(
          'stalled handshakes that it reports',
          few,
          numberOf(first ?? ({ attributes: {} } as never), 'mesh.handshake.count'),
        ),
        atMost(`TCP dial beside ${many} stalled handshakes`, limits.dial, full.tcp.ms ?? Number.NaN, 'ms'),
        atMost(`a node with both addresses is linked beside ${many} after`, limits.linked, linkedMs, 'ms'),
        atLeast('highest number of stalled handshakes in a span', places, highest),
        equals('spans of the other node', 0, onControl.length),
        equals('QUIC dials succeed once they have ended', true, after),
      ],
    }
  },
})

interface Dial {
  /** Undefined when it failed. */
  readonly ms: number | undefined
  readonly error?: string
}

const isDone = ({ ms }: Dial) => ms !== undefined
const slowest = (dials: readonly Dial[]) => Math.max(...dials.map(({ ms }) => ms ?? Number.NaN))
const describeDial = ({ ms, error }: Dial) => (ms === undefined ? `failed (${error})` : `${ms} ms`)

/** Dials of fresh identities, one after the other, each until identify. */
async function dialMany(address: string): Promise<Dial[]> {
  const dials: Dial[] = []
  for (let n = 0; n < honestDials; n++) dials.push(await dialOnce(address, 11_000))
  return dials
}

async function dialOnce(address: string, limitMs: number): Promise<Dial> {
  const client = await startStock([])
  const began = performance.now()
  const identified = new Promise((resolve) => client.addEventListener('peer:identify', resolve, { once: true }))
  try {
    await client.dial(multiaddr(address), { signal: AbortSignal.timeout(limitMs) })
    await Promise.race([
      identified,
      sleep(limitMs, undefined, { ref: false }).then(() => Promise.reject(new Error('identify'))),
    ])
    return { ms: Math.round(performance.now() - began) }
  } catch (error) {
    return { ms: undefined, error: `${(error as Error).name} after ${Math.round(performance.now() - began)} ms` }
  } finally {
    await client.stop()
  }
}

/** One stalled handshake, and then a dial over each transport to a stock node. */
async function stockControl() {
  const server = await startStock(['/ip4/127.0.0.1/udp/0/quic-v1', '/ip4/127.0.0.1/tcp/0'])
  const [quicAddress = '', tcpAddress = ''] = server.getMultiaddrs().map(String)
  await using relay = await relayTo(quicAddress)
  await using stalling = await stallHandshakes(relay, 1)
  const overTcp = await dialOnce(tcpAddress, 11_000)
  const overQuic = await dialOnce(quicAddress, 11_000)
  await stalling.end()
  await server.stop()
  return { quic: overQuic, tcp: overTcp }
}

function relayTo(address: string): Promise<UdpRelay> {
  return udpRelay(Number(/\/udp\/(\d+)\//.exec(address)?.[1]), { oneWay: true })
}

/** Dials through the relay, again and again in `count` places, until it ends. */
async function stallHandshakes(relay: UdpRelay, count: number) {
  const client = await startStock([])
  // libp2p's own `dial` combines dials of one address.
  const { transportManager } = (client as unknown as { components: { transportManager: TransportManager } }).components
  const address = multiaddr(`/ip4/127.0.0.1/udp/${relay.port}/quic-v1`)
  const ended = new AbortController()
  const answered = relay.answered()
  const stall = async () => {
    while (!ended.signal.aborted) await transportManager.dial(address, { signal: ended.signal }).catch(() => {})
  }
  const stalls = Array.from({ length: count }, stall)
  await until(() => relay.answered() > answered, 20_000, 'a handshake begins')
  const end = async () => {
    ended.abort()
    await client.stop()
  }
  return { end, [Symbol.asyncDispose]: async () => void (await Promise.all([end(), ...stalls])) }
}

async function startStock(listen: readonly string[]): Promise<Libp2p> {
  const quicOptions: object = { shutdownTimeout: 100 }
  return createLibp2p({
    addresses: { listen: [...listen] },
    transports: [quic(quicOptions), tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    logger: silentLibp2p,
    connectionManager: { inboundConnectionThreshold: 1_000 },
    services: { identify: identify() },
  })
}
