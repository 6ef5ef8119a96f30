// A member of two meshes. Messages that are published with `cross: true` in one are delivered in the other as well, with
// the signature of whoever published them.
//
//   node bridge.ts SEED [SEED ...]      seeds of either mesh
import { gossipsub } from '@libp2p/gossipsub'
import { identify } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { createLibp2p } from 'libp2p'
import { tracemesh } from 'tracemesh'

const node = await createLibp2p({
  addresses: { listen: ['/ip4/0.0.0.0/tcp/0'] },
  transports: [tcp()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  services: {
    identify: identify(),
    pubsub: gossipsub(),
    tracemesh: tracemesh({ role: 'bridge', mesh: 'example', bridgeTo: 'other', seeds: process.argv.slice(2) }),
  },
})
const { tracemesh: mesh } = node.services
for (const address of node.getMultiaddrs()) console.log(`listening on ${address}`)

const publishing = setInterval(() => {
  void mesh.publish('news', new TextEncoder().encode('the bridge stands'), { cross: true })
}, 1_000)

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, async () => {
    clearInterval(publishing)
    await node.stop()
  })
}
