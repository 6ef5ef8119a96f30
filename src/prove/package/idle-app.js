import { gossipsub } from '@libp2p/gossipsub'
import { identify } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { createLibp2p } from 'libp2p'

// A js-libp2p application that listens and does nothing; with the mesh when `MESH_KIT` is the URL of a kit. Plain
// JavaScript, since Node.js keeps its type stripper in memory after the first use.

const { MESH_KIT: kit, MESH_OTLP: otlp = 'off' } = process.env
const services = { identify: identify(), pubsub: gossipsub() }
const mesh = kit === undefined ? {} : { tracemesh: (await import(kit)).tracemesh({ otlp }) }
const node = await createLibp2p({
  addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
  transports: [tcp()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  services: { ...services, ...mesh },
})
process.once('SIGTERM', () => void node.stop())
process.stdout.write('listening\n')
