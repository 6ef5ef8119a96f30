import { setTimeout as sleep } from 'node:timers/promises'
import { generateKeyPair } from '@libp2p/crypto/keys'
import type { Stream } from '@libp2p/interface'
import { createLibp2p } from 'libp2p'
import { tracemesh } from '../../kit/index.ts'
import { libp2pSettings } from '../../kit/libp2p-settings.ts'
import { ActCounter } from '../act-count.ts'
import { leaks, notesProtocol, type Order } from './leaks.ts'

// An application that embeds the kit. Each publishes orders and reads those of the others; from a SIGUSR2 on it makes
// the mistake of its leaks that ZOO_PLANT names. Ends with SIGTERM.

const { MESH_ID: mesh = 'mesh-a', MESH_SEEDS: seeds = '', MESH_OTLP: otlp = 'off', MESH_NAME: name = '' } = process.env
const { MESH_LISTEN: listen = '/ip4/127.0.0.1/udp/0/quic-v1', ZOO_PLANT: plant = '' } = process.env
const topic = 'orders'
const orderMs = 100
const linesPerOrder = 240
const stopping = new AbortController()
const counter = new ActCounter()
let isIll = false
process.once('SIGTERM', () => stopping.abort())
process.on('SIGUSR2', () => {
  isIll = true
})

const base = libp2pSettings({ privateKey: await generateKeyPair('Ed25519'), listen: listen.split(',') })
const service = tracemesh({ mesh, otlp, name, seeds: seeds.split(',').filter((seed) => seed !== '') })
const libp2p = await createLibp2p({ ...base, services: { ...base.services, tracemesh: service } })
const node = libp2p.services.tracemesh
const many = { maxInboundStreams: 4_096, maxOutboundStreams: 4_096 }
await libp2p.handle(notesProtocol, (stream: Stream) => void readNotes(stream), many)

/** It closes its end when the other end has closed. */
function readNotes(stream: Stream): void {
  stream.addEventListener('remoteCloseWrite', () => void stream.close().catch(() => {}))
}

const leak = leaks[plant]
libp2p.addEventListener('peer:connect', ({ detail }) => {
  if (isIll && leak?.join) void counter.run(() => leak.join?.(String(detail)))
})
node.subscribe(topic, ({ data }) => {
  const order = JSON.parse(new TextDecoder().decode(data)) as Order
  if (isIll && leak?.order) void counter.run(() => leak.order?.(order, libp2p.getConnections()))
})
process.stdout.write(
  `${JSON.stringify({ msg: 'listening', peer: node.peer, addresses: libp2p.getMultiaddrs().map(String) })}\n`,
)
for (let number = 0; !stopping.signal.aborted; number++) {
  await node.publish(topic, new TextEncoder().encode(JSON.stringify(orderOf(number)))).catch(() => {})
  await sleep(orderMs, undefined, { signal: stopping.signal }).catch(() => {})
}
await libp2p.stop()
counter.report()

function orderOf(number: number): Order {
  const lines = Array.from({ length: linesPerOrder }, (_, line) => ({
    article: `article ${number} ${line}`,
    pieces: line,
  }))
  return { number, lines }
}
