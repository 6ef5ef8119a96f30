import { setTimeout as sleep } from 'node:timers/promises'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { createLibp2p } from 'libp2p'
import { tracemesh } from '../kit/index.ts'
import { libp2pSettings } from '../kit/libp2p-settings.ts'
import { ActCounter } from './act-count.ts'

// Members with fresh identities that join a mesh and leave it in one process, GUESTS at once, each replaced by another.
// Some have spans, as some members of a mesh export none. GUEST_MS is the length of a life. Ends with SIGTERM.

const { MESH_ID: mesh = 'mesh-a', MESH_SEEDS: seeds = '', MESH_OTLP: otlp = 'off', MESH_NAME: name = '' } = process.env
const lifeMs = Number(process.env['GUEST_MS'] ?? 3_000)
const atOnce = Number(process.env['GUESTS'] ?? 1)
const pauseMs = 300
/** Of more at once a smaller part has spans. */
const exportEvery = 3 * Math.min(3, atOnce)
const stopping = new AbortController()
const counter = new ActCounter()
let count = 0
process.once('SIGTERM', () => stopping.abort())
const pause = (ms: number) => sleep(ms, undefined, { signal: stopping.signal }).catch(() => {})

async function live(): Promise<void> {
  const life = ++count
  const privateKey = await generateKeyPair('Ed25519')
  const base = libp2pSettings({ privateKey, listen: ['/ip4/127.0.0.1/udp/0/quic-v1'] })
  const service = tracemesh({
    mesh,
    otlp: life % exportEvery === 0 ? otlp : 'off',
    name: `${name}-${life}`,
    seeds: seeds.split(','),
  })
  const node = await createLibp2p({ ...base, services: { ...base.services, tracemesh: service } })
  await pause(lifeMs)
  // An act is a life that met somebody.
  await counter.run(() => node.getPeers().length > 0)
  await node.stop()
  await pause(pauseMs)
}

async function liveOn(): Promise<void> {
  while (!stopping.signal.aborted) await live()
}

process.stdout.write(`${JSON.stringify({ msg: 'listening', peer: '', addresses: [] })}\n`)
await Promise.all(Array.from({ length: atOnce }, liveOn))
counter.report()
