import { setTimeout as sleep } from 'node:timers/promises'
import { gossipsub } from '@chainsafe/libp2p-gossipsub'
import { identify } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { quic } from '@libp2p/quic'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { countCopies } from './count-copies.js'
import { Deliveries, servePeer } from './peer-loop.js'

// Stock js-libp2p and gossipsub with every option at its default. It speaks the bench protocol.

const topic = 'bench'
const listen = (process.env['BENCH_LISTEN'] ?? '/ip4/127.0.0.1/udp/0/quic-v1').split(',')
/** With its defaults a node accepts five connections a second from one host, and ignores the thirteenth peer there. */
const crowd =
  process.env['BENCH_CROWD'] === '1'
    ? {
        connectionManager: { inboundConnectionThreshold: 1_000, maxIncomingPendingConnections: 1_000 },
        gossip: { scoreParams: { IPColocationFactorWeight: 0 } },
      }
    : { connectionManager: {}, gossip: {} }

// Required: the installed native library has no default for it. It only bounds the stop of the listener.
/** @type {object} */
const required = { shutdownTimeout: 3_000 }

const node = await createLibp2p({
  start: false,
  addresses: { listen },
  transports: [quic(required), ...(listen.some((address) => address.includes('/tcp/')) ? [tcp()] : [])],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  connectionManager: crowd.connectionManager,
  services: { identify: identify(), pubsub: gossipsub(crowd.gossip) },
})
const { pubsub } = node.services
const deliveries = new Deliveries()
pubsub.addEventListener('message', ({ detail }) => deliveries.record(detail.data))

await servePeer(
  {
    addresses: listen.map((address) => `${address}/p2p/${node.peerId}`),
    start: async (dial) => {
      await node.start()
      pubsub.subscribe(topic)
      await Promise.all(dial.map(connect))
    },
    publish: (data) => pubsub.publish(topic, data),
    links: () => node.getPeers().length,
    copies: countCopies(topic),
    // All peers exit at the same time: an ordered stop would only wait for closed connections.
    stop: async () => {},
  },
  deliveries,
)

/**
 * Over QUIC a dial also succeeds if the listener rejects the connection at once, so this dials again if the connection
 * closes after a moment, as an application would.
 *
 * @param {string} address
 */
async function connect(address) {
  for (let attempt = 1; attempt <= 20; attempt++) {
    const connection = await node.dial(multiaddr(address)).catch(() => undefined)
    await sleep(250)
    if (connection?.status === 'open') return
  }
  throw new Error(`connection to ${address} does not stay open`)
}
