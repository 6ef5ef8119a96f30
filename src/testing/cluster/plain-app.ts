import { gossipsub } from '@chainsafe/libp2p-gossipsub'
import { identify } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { quic } from '@libp2p/quic'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { createLibp2p } from 'libp2p'
import { tracemesh } from '../../kit/index.ts'

const { MESH_ID: mesh = 'mesh-a', MESH_SEEDS: seeds = '', MESH_OTLP: otlp = 'off' } = process.env
/** An option of the native library in `overrides`, which the transport’s types do not have yet. */
const quicOptions: object = { shutdownTimeout: 3_000 }
const libp2p = await createLibp2p({
  addresses: { listen: ['/ip4/127.0.0.1/udp/0/quic-v1', '/ip4/127.0.0.1/tcp/0'] },
  transports: [quic(quicOptions), tcp()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  services: {
    identify: identify(),
    pubsub: gossipsub(),
    tracemesh: tracemesh({ mesh, otlp, name: 'app', seeds: seeds.split(',') }),
  },
})
const node = libp2p.services.tracemesh
const printLine = (line: object) => process.stdout.write(`${JSON.stringify(line)}\n`)
const text = (data: Uint8Array) => new TextDecoder().decode(data)

node.subscribe('news', ({ from, data }) => printLine({ heard: text(data), from }))
node.respond('greet', ({ data }) => new TextEncoder().encode(`the app greets ${text(data)}`))
const timer = setInterval(async () => {
  await node.publish('news', new TextEncoder().encode('news from the app'))
  for (const { peer } of node.topology().peers) {
    const answer = await node.request(peer, 'greet', new TextEncoder().encode('you')).then(text, String)
    printLine({ answer, from: peer })
  }
}, 1_000)
process.once('SIGTERM', () => {
  clearInterval(timer)
  void libp2p.stop()
})
printLine({ msg: 'listening', peer: node.peer, addresses: libp2p.getMultiaddrs().map(String) })
