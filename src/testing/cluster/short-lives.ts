import { setTimeout as sleep } from 'node:timers/promises'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { createLibp2p } from 'libp2p'
import { tracemesh } from '../../kit/index.ts'
import { libp2pSettings } from '../../kit/libp2p-settings.ts'

// Members with fresh identities that join the mesh and leave it, one after the other, in one process: where processes
// would take too long to start. Each has its own spans. Prints {"lived"} after each life, and ends with SIGTERM.

const { MESH_ID: mesh = 'mesh-a', MESH_SEEDS: seeds = '', MESH_OTLP: otlp = 'off', MESH_NAME: name = '' } = process.env
const lifeMs = 8_000
const printLine = (line: object) => process.stdout.write(`${JSON.stringify(line)}\n`)
const stopping = new AbortController()
process.once('SIGTERM', () => stopping.abort())

printLine({ msg: 'listening', peer: '', addresses: [] })
for (let lived = 1; !stopping.signal.aborted; lived++) {
  const base = libp2pSettings({ privateKey: await generateKeyPair('Ed25519'), listen: ['/ip4/127.0.0.1/tcp/0'] })
  const service = tracemesh({ mesh, otlp, name: `${name}-${lived}`, seeds: seeds.split(','), neighbours: 3 })
  const node = await createLibp2p({ ...base, services: { ...base.services, tracemesh: service } })
  await sleep(lifeMs, undefined, { signal: stopping.signal }).catch(() => {})
  await node.stop()
  printLine({ lived })
}
