import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gossipsub } from '@chainsafe/libp2p-gossipsub'
import { identify } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import type { SpanEffect } from '../catalogue/span-effect.ts'
import { limits } from '../core/limits.ts'
import { outboundBufferBytes } from '../kit/gossip/gossip-settings.ts'
import { silentLibp2p } from '../kit/libp2p-logger.ts'
import { until } from '../processes/waiting.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { parseConfig } from './config.ts'
import { type RunningNode, startNode } from './node.ts'

leakCheck()

const topic = 'mesh-a/news'
const messageBytes = 50_000
/** Together more than twice what the node keeps for one peer. */
const messages = 200
/** Until one of them has not reached the peer. */
const maxMessages = 1_000
/** Protocols of which the peer opens streams, more than the node accepts. */
const protocols = ['/tracemesh/link/1.0.0', '/tracemesh/request/1.0.0', '/ipfs/id/1.0.0', '/meshsub/1.2.0']
const opensPerProtocol = 200
/** What gossipsub may have queued for it, and as much for all other streams. */
const maxBuffered = 2 * outboundBufferBytes

async function startNodeWithSpans() {
  const env = { MESH_OTLP: 'off', MESH_LOG_LEVEL: 'silent', MESH_LISTEN: '/ip4/127.0.0.1/tcp/0', MESH_TOPICS: 'news' }
  const node = await startNode(parseConfig(env))
  const spans: SpanEffect[] = []
  const { emit } = node.telemetry
  Object.assign(node.telemetry, {
    emit: (...args: Parameters<typeof emit>) => {
      spans.push(args[0])
      return emit(...args)
    },
  })
  return { node, spans }
}

async function startGuest({ addresses }: RunningNode) {
  const libp2p = await createLibp2p({
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionMonitor: { enabled: false },
    logger: silentLibp2p,
    services: { identify: identify(), pubsub: gossipsub({ allowPublishToZeroTopicPeers: true }) },
  })
  const { pubsub } = libp2p.services
  let received = 0
  pubsub.subscribe(topic)
  pubsub.addEventListener('message', ({ detail }) => {
    if (detail.data.length > messageBytes) received++
  })
  const connection = await libp2p.dial(multiaddr(addresses[0]))
  return { libp2p, connection, peer: libp2p.peerId.toString(), received: () => received }
}

const isUnsent = (one: SpanEffect) => one.span === 'mesh.gossip.unsent'

test('a guest that opens streams and never reads: bounded and reported, and another guest receives every message', async () => {
  const { node, spans } = await startNodeWithSpans()
  const [deaf, honest] = [await startGuest(node), await startGuest(node)]
  const stopReading = setInterval(() => {
    if (isDeaf) for (const stream of deaf.connection.streams) stream.pause()
  }, 1)
  let isDeaf = false
  try {
    const { pubsub } = node.libp2p.services
    await until(() => pubsub.getSubscribers(topic).length === 2, 30_000, 'both have subscribed')
    const connectionsTo = () =>
      node.libp2p.getConnections().filter(({ remotePeer }) => String(remotePeer) === deaf.peer)
    const streams = () => connectionsTo().flatMap((connection) => connection.streams)
    // Once the peer has used up its streams, the node could not open its own.
    const sendsGossip = () => streams().some((one) => one.direction === 'outbound' && one.protocol.includes('meshsub'))
    await until(sendsGossip, 30_000, 'the node sends gossip to the peer')
    // Gossipsub sends messages to the peers of its mesh alone.
    const { mesh } = pubsub as unknown as { readonly mesh: ReadonlyMap<string, ReadonlySet<string>> }
    await until(() => mesh.get(topic)?.has(deaf.peer) ?? false, 30_000, 'the peer is in gossipsub’s mesh')
    isDeaf = true
    for (const protocol of protocols)
      for (let n = 0; n < opensPerProtocol; n++) deaf.connection.newStream(protocol).catch(() => {})
    const buffered = () =>
      streams().reduce((sum, { readBufferLength, writeBufferLength }) => sum + readBufferLength + writeBufferLength, 0)
    let [mostStreams, mostBytes] = [0, 0]
    const isReported = () => spans.some(isUnsent)
    let published = 0
    // Buffers of the system take some messages, more on a busy machine.
    while (published < messages || (!isReported() && published < maxMessages)) {
      const n = published++
      await node.mesh.publish('news', new Uint8Array(messageBytes))
      mostStreams = Math.max(mostStreams, streams().length)
      mostBytes = Math.max(mostBytes, buffered())
      // The node publishes no faster than the honest guest reads.
      await until(() => honest.received() > n - 10, 30_000, `message ${n} at the honest guest`)
    }
    await until(() => honest.received() === published, 30_000, 'every message at the honest guest')
    assert.ok(mostStreams <= limits.streamsPerPeer, `${mostStreams} streams`)
    assert.ok(mostBytes <= maxBuffered, `${mostBytes} bytes in buffers`)
    const reports = spans.flatMap((one) => (one.span === 'mesh.limit.reached' || isUnsent(one) ? [one.attributes] : []))
    const named = reports.map((one) => one['mesh.limit.name' as never] ?? one['mesh.gossip.reason' as never])
    for (const name of ['streamsPerProtocol', 'backlog'])
      assert.ok(named.includes(name as never), `${name} of ${named}`)
    assert.deepEqual(
      [...new Set(reports.map((one) => one['mesh.peer.id']))],
      [deaf.peer],
      'nothing about the honest guest',
    )
    assert.equal(honest.libp2p.getConnections().length, 1)
  } finally {
    clearInterval(stopReading)
    await Promise.all([deaf.libp2p.stop(), honest.libp2p.stop()])
    await node.stop('SIGTERM')
  }
})
