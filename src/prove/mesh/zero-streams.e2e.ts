import { setTimeout as sleep } from 'node:timers/promises'
import { gossipsub } from '@chainsafe/libp2p-gossipsub'
import { identify, identifyPush } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { quic } from '@libp2p/quic'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { silentLibp2p } from '../../kit/libp2p-logger.ts'
import { tracemeshInternal } from '../../kit/service.ts'
import { nodeCommand } from '../../processes/node-program.ts'
import { Subprocess } from '../../processes/subprocess.ts'
import { type NodeProcess, startCluster, until } from '../../testing/cluster/cluster.ts'
import { recordingTelemetry } from '../../testing/otlp/recording-telemetry.ts'
import { endToEnd } from '../end-to-end.ts'
import { spansNamed, timeUntil } from '../evidence.ts'
import { atMost, type Check, equals } from '../proof.ts'
import { testProgram } from '../shell.ts'
import { isLinked, promptSpans } from './mesh.ts'

const mesh = 'mesh-a'
const topic = `${mesh}/news`
const honestGuests = 5
/** Limits, milliseconds: the span of a wedged connection, the first message to an honest peer, and the stock node's. */
const limits = { emitted: 15_000, received: 5_000, stock: 15_000 }

export const proof = endToEnd({
  name: 'zero-streams',
  about:
    'peers that grant no QUIC streams, and a frozen guest over TCP: a span names each within 15 s, the node aborts its connection, and gossip with all others goes on, where stock gossipsub sends nothing any more',
  quick: false,
  seconds: 75,
  async run({ progress, signal }) {
    const stock = await stockControl()
    progress(
      `stock: a later peer receives ${Number.isNaN(stock.receivedMs) ? 'nothing' : `after ${stock.receivedMs} ms`}`,
    )
    await using cluster = await startCluster(promptSpans)
    const listen = [cluster.address('node'), cluster.address('node').replace(/udp\/(\d+)\/quic-v1/, 'tcp/$1')]
    const entry = testProgram('cluster/talking-node.ts')
    const node = await cluster.node('node', { mesh, role: 'seed', listen, entry, env: { MESH_TOPICS: 'news' } })
    const [quicAddress = '', tcpAddress = ''] = listen.map((address) => `${address}/p2p/${node.peer}`)
    const frozen = await startFrozenGuest(tcpAddress)
    await using wedged = await startWedged(quicAddress)
    const honest = await Promise.all(
      Array.from({ length: honestGuests }, (_, index) =>
        sleep(index * 1_000).then(() => meetHonest(quicAddress, node)),
      ),
    )
    await using _honest = disposeAll(honest)
    progress(`honest guests receive after ${honest.map(({ receivedMs }) => receivedMs).join(', ')} ms`)
    const joined = performance.now()
    const member = await cluster.node('member', { mesh, seeds: listen, entry, env: { MESH_TOPICS: 'news' } })
    await until(() => isLinked(member, node), 30_000, 'a link of an honest member')
    await until(() => hasHeard(member, node.peer), 30_000, 'a message at the honest member')
    const memberMs = Math.round(performance.now() - joined)
    const wedges = () => spansNamed(cluster.receiver.spans, 'mesh.connection.wedged', 'node')
    const wedgeOf = (peer: string) => wedges().find(({ attributes }) => attributes['mesh.peer.id'] === peer)
    const reported = []
    for (const one of [...wedged.peers, frozen]) {
      await timeUntil(
        Math.max(0, one.since + limits.emitted + 2_000 - Date.now()),
        () => wedgeOf(one.peer) !== undefined,
      )
      const span = wedgeOf(one.peer)
      reported.push({ what: one.what, ms: (span?.endMs ?? Number.NaN) - one.since, ...span?.attributes })
    }
    progress(`reported: ${reported.map(({ what, ms }) => `${what} after ${ms} ms`).join(', ')}`)
    // Some regular checks of the honest guests.
    await sleep(20_000, undefined, { signal })
    const suspects = [...wedged.peers.map(({ peer }) => peer), frozen.peer]
    const falseSpans = wedges().filter(({ attributes }) => !suspects.includes(String(attributes['mesh.peer.id'])))
    const lost = honest.filter((one) => one.connections() !== 1).length
    const lateMs = await Promise.all(honest.map((one) => one.awaitMessage()))
    const openStreams = Math.max(...honest.map((one) => one.checkStreams()))
    await frozen.end()
    return {
      figures: {
        stock,
        honest: honest.map(({ receivedMs, heardMs }) => ({ receivedMs, heardMs })),
        memberMs,
        reported,
        lateMs,
      },
      checks: [
        equals(
          'stock gossipsub: messages to a later peer within 15 s',
          'none',
          Number.isNaN(stock.receivedMs) ? 'none' : 'some',
        ),
        ...reported.map(({ what, ms }): Check => atMost(`${what}: its span after`, limits.emitted, ms, 'ms')),
        ...reported.map(({ what, ...span }) =>
          equals(`${what}: its connection is aborted`, true, span['mesh.wedge.aborts' as never]),
        ),
        ...honest.flatMap(({ receivedMs, heardMs }, index) => [
          atMost(`honest guest ${index + 1}: first message from the node`, limits.received, receivedMs, 'ms'),
          atMost(`honest guest ${index + 1}: first message to the node`, limits.received, heardMs, 'ms'),
        ]),
        atMost('an honest member: process start to link and message', 15_000, memberMs, 'ms'),
        equals('spans about honest peers', 0, falseSpans.length),
        equals('honest guests that lost their connection', 0, lost),
        atMost('a message to each honest guest at the end', limits.received, Math.max(...lateMs), 'ms'),
        equals('streams of checks that stay open', 0, openStreams),
      ],
    }
  },
})

/** Streams that it grants; undefined is the default. */
async function startPeer(streams: number | undefined, listen: readonly string[] = [], services: object = {}) {
  const quicOptions: object = {
    shutdownTimeout: 100,
    ...(streams !== undefined && { maxConcurrentStreamLimit: streams }),
  }
  const libp2p = await createLibp2p({
    addresses: { listen: [...listen] },
    transports: [quic(quicOptions), tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    logger: silentLibp2p,
    services: {
      identify: identify(),
      // The other side learns of its gossipsub without a stream.
      push: identifyPush(),
      pubsub: gossipsub({ allowPublishToZeroTopicPeers: true }),
      ...services,
    },
  })
  const { pubsub } = libp2p.services
  pubsub.subscribe(topic)
  let received = 0
  pubsub.addEventListener('message', ({ detail }) => {
    if (detail.topic === topic) received++
  })
  return { libp2p, pubsub, push: () => libp2p.services.push.push(), received: () => received }
}

/** A guest and a member that grant no streams: both are connected, and the node knows that they have gossipsub. */
async function startWedged(address: string) {
  const since = Date.now()
  const guest = await startPeer(0)
  const { telemetry } = recordingTelemetry()
  const member = await startPeer(0, [], { tracemesh: tracemeshInternal({ mesh, telemetry, neighbours: 1 }) })
  for (const one of [guest, member]) {
    await one.libp2p.dial(multiaddr(address))
    await sleep(200)
    await one.push().catch(() => {})
  }
  return {
    peers: [
      { what: 'a guest without streams', peer: guest.libp2p.peerId.toString(), since },
      { what: 'a member without streams', peer: member.libp2p.peerId.toString(), since },
    ],
    [Symbol.asyncDispose]: async () => void (await Promise.all([guest, member].map(({ libp2p }) => libp2p.stop()))),
  }
}

/** A guest over TCP that freezes once it has received a message: its system goes on to acknowledge what it is sent. */
async function startFrozenGuest(address: string) {
  const listening = Promise.withResolvers<string>()
  const received = Promise.withResolvers<void>()
  const guest = new Subprocess({
    name: 'the guest',
    command: nodeCommand(testProgram('interop/js-guest.ts'), ['--dial', address, '--topic', topic]),
    input: true,
    onLine: (line) => {
      const { event, peer } = JSON.parse(line) as { event: string; peer: string }
      if (event === 'listening') listening.resolve(peer)
      if (event === 'message') received.resolve()
    },
  })
  const peer = await guest.ready(listening.promise, 20_000)
  await guest.ready(received.promise, 20_000)
  guest.signal('SIGSTOP')
  const end = async () => void (await guest.stop(0, 'SIGKILL'))
  return { what: 'a frozen guest over TCP', peer, since: Date.now(), end }
}

/** An honest guest that dials the node now; times from the dial to its first messages, both ways. */
async function meetHonest(address: string, node: NodeProcess) {
  const peer = await startPeer(undefined)
  const id = peer.libp2p.peerId.toString()
  await peer.libp2p.dial(multiaddr(address))
  const talk = setInterval(
    () => void peer.pubsub.publish(topic, new TextEncoder().encode(`hi from ${id}`)).catch(() => {}),
    250,
  )
  const [receivedMs, heardMs] = await Promise.all([
    timeUntil(20_000, () => peer.received() > 0),
    timeUntil(20_000, () => hasHeard(node, id)),
  ])
  clearInterval(talk)
  return {
    receivedMs,
    heardMs,
    connections: () => peer.libp2p.getConnections().length,
    /** Milliseconds until it receives a message from now on. */
    awaitMessage: () => {
      const before = peer.received()
      return timeUntil(limits.received, () => peer.received() > before)
    },
    checkStreams: () =>
      peer.libp2p
        .getConnections()
        .flatMap(({ streams }) => streams)
        .filter(({ protocol }) => protocol.includes('/ping/')).length,
    stop: () => peer.libp2p.stop(),
  }
}

function hasHeard({ log }: NodeProcess, from: string): boolean {
  return log.some((line) => line['heard'] !== undefined && line['from'] === from)
}

function disposeAll(peers: readonly { stop(): void | Promise<void> }[]): AsyncDisposable {
  return { [Symbol.asyncDispose]: async () => void (await Promise.all(peers.map((one) => one.stop()))) }
}

/** Stock js-libp2p: a peer that grants no streams, then an honest one. */
async function stockControl() {
  const server = await startPeer(undefined, ['/ip4/127.0.0.1/udp/0/quic-v1'])
  const zero = await startPeer(0)
  const honest = await startPeer(undefined)
  const [address] = server.libp2p.getMultiaddrs()
  if (address === undefined) throw new Error('the stock node does not listen')
  await zero.libp2p.dial(address)
  await sleep(200)
  await zero.push().catch(() => {})
  await sleep(1_000)
  await honest.libp2p.dial(address)
  const talk = setInterval(() => void server.pubsub.publish(topic, Uint8Array.of(1)).catch(() => {}), 250)
  const receivedMs = await timeUntil(limits.stock, () => honest.received() > 0)
  clearInterval(talk)
  await Promise.all([zero, honest, server].map(({ libp2p }) => libp2p.stop()))
  return { receivedMs }
}
