import { createInterface } from 'node:readline'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { generateKeyPair } from '@libp2p/crypto/keys'
import type { PeerId } from '@libp2p/interface'
import { createLibp2p } from 'libp2p'
import { libp2pSettings } from '../../kit/libp2p-settings.ts'
import { recordKey } from '../../kit/peer-store/peer-store-records.ts'
import { parseConfig } from '../../node/config.ts'
import { startNode } from '../../node/node.ts'

// A node whose peers come and go: hub SWEEP_MS OTLP. With SWEEP_MS 0 it is js-libp2p with the same options, without the
// mesh. Prints {"event":"ready","address"}, and for each input line {"event":"count"} with the records of other
// peers in its peer store, their bytes, the bytes of the buffers that they keep in memory, and all bytes in buffers after a collection.
// Ends when its input does.

const [sweepMs = '0', otlp = 'off'] = process.argv.slice(2)
const listen = '/ip4/127.0.0.1/tcp/0'
const printLine = (line: object) => process.stdout.write(`${JSON.stringify(line)}\n`)

interface Hub {
  readonly libp2p: object
  readonly address: string
  readonly stop: () => Promise<void>
}

interface Internals {
  readonly components: {
    readonly datastore: { readonly data: ReadonlyMap<string, Uint8Array> }
    readonly peerId: PeerId
  }
}

async function startOurs(): Promise<Hub> {
  const env = { MESH_NAME: 'hub', MESH_LISTEN: listen, MESH_OTLP: otlp, MESH_ADMIN: 'off', MESH_LOG_LEVEL: 'silent' }
  const node = await startNode(parseConfig(env), { peerStoreSweepMs: Number(sweepMs) })
  return { libp2p: node.libp2p, address: node.addresses[0] ?? '', stop: () => node.stop('end of input') }
}

async function startStock(): Promise<Hub> {
  const { services, ...settings } = libp2pSettings({ privateKey: await generateKeyPair('Ed25519'), listen: [listen] })
  const libp2p = await createLibp2p({ ...settings, services })
  return { libp2p, address: String(libp2p.getMultiaddrs()[0]), stop: async () => libp2p.stop() }
}

const hub = await (Number(sweepMs) === 0 ? startStock() : startOurs())
const { datastore, peerId } = (hub.libp2p as Internals).components
setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc')
printLine({ event: 'ready', address: hub.address })
for await (const _ of createInterface({ input: process.stdin })) {
  collectGarbage()
  collectGarbage()
  const isOther = (key: string) => key.startsWith('/peers/') && key !== recordKey(peerId)
  const values = [...datastore.data].filter(([key]) => isOther(key)).map(([, value]) => value)
  const sum = (sizes: Iterable<{ readonly byteLength: number }>) =>
    [...sizes].reduce((total, { byteLength }) => total + byteLength, 0)
  printLine({
    event: 'count',
    records: values.length,
    bytes: sum(values),
    heldBytes: sum(new Set(values.map(({ buffer }) => buffer))),
    bufferBytes: process.memoryUsage().arrayBuffers,
  })
}
await hub.stop()
