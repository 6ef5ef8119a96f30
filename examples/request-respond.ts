// Asks every member for a sum, and answers those that ask. A request has a span at both ends.
//
//   node request-respond.ts SEED
import { gossipsub } from '@libp2p/gossipsub'
import { identify } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { createLibp2p } from 'libp2p'
import { MeshError, tracemesh } from 'tracemesh'

const node = await createLibp2p({
  addresses: { listen: ['/ip4/0.0.0.0/tcp/0'] },
  transports: [tcp()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  services: {
    identify: identify(),
    pubsub: gossipsub(),
    tracemesh: tracemesh({ mesh: 'example', seeds: process.argv.slice(2) }),
  },
})
const { tracemesh: mesh } = node.services

mesh.respond('sum', ({ data }) => Uint8Array.of(data.reduce((sum, number) => sum + number, 0)))

const asking = setInterval(async () => {
  for (const { peer, name } of mesh.topology().members) {
    try {
      const [sum] = await mesh.request(peer, 'sum', Uint8Array.of(1, 2, 3), { timeoutMs: 2_000 })
      console.log(`${name} says 1 + 2 + 3 = ${sum}`)
    } catch (error) {
      // MESH_NO_LINK: a member that is not a neighbour. MESH_REQUEST_FAILED: it has no handler, or did not answer.
      if (!(error instanceof MeshError)) throw error
      console.log(`${name}: ${error.code}`)
    }
  }
}, 1_000)

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, async () => {
    clearInterval(asking)
    await node.stop()
  })
}
