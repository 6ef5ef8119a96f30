import { gossipsub } from '@chainsafe/libp2p-gossipsub'
import { identify } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { quic } from '@libp2p/quic'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'

// What js-libp2p and gossipsub are without anything of ours: every option at its default, in plain JavaScript, so that
// nothing is spent on stripping types either. Dials the addresses it is sent and then idles.

// Not a choice: the native library that is installed has no default for it. It bounds the listener's stop alone.
/** @type {object} */
const required = { shutdownTimeout: 3_000 }

const node = await createLibp2p({
  addresses: { listen: ['/ip4/127.0.0.1/udp/0/quic-v1'] },
  transports: [quic(required)],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  services: { identify: identify(), pubsub: gossipsub() },
})
node.services.pubsub.subscribe('news')

process.on('disconnect', () => process.exit(0))
process.on('message', async (/** @type {readonly string[]} */ addresses) => {
  await Promise.all(addresses.map((address) => node.dial(multiaddr(address))))
  report()
})
node.addEventListener('connection:open', report)
node.addEventListener('connection:close', report)
report()

function report() {
  const streams = node.getConnections().flatMap((connection) => connection.streams)
  process.send?.({
    addresses: node.getMultiaddrs().map(String),
    connections: node.getConnections().length,
    streams: streams.length,
  })
}
