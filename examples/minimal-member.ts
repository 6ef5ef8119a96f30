// A member of a mesh: it joins at the seeds, says who is there, and reads what others publish on `news`.
//
//   node minimal-member.ts [SEED ...]      a first one without a seed, then others with an address that it has printed
//
// Spans go to OTEL_EXPORTER_OTLP_ENDPOINT, or to port 4317 of this machine.
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
    tracemesh: tracemesh({ mesh: 'example', seeds: process.argv.slice(2) }),
  },
})
const { tracemesh: mesh } = node.services
for (const address of node.getMultiaddrs()) console.log(`listening on ${address}`)

mesh.subscribe('news', ({ from, data }) => console.log(`${from} says ${new TextDecoder().decode(data)}`))

const listMembers = () => {
  const names = mesh.topology().members.map(({ name }) => name)
  console.log(`members: ${names.toSorted().join(', ')}`)
}
for (const event of ['member:joined', 'member:left', 'member:expired'] as const) {
  mesh.addEventListener(event, listMembers)
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void node.stop())
}
