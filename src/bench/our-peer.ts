import { parseConfig } from '../node/config.ts'
import type { RunningNode } from '../node/node.ts'
import { tuneV8 } from '../node/v8-flags.ts'
import { countCopies } from './count-copies.js'
import { Deliveries, servePeer } from './peer-loop.js'

// A mesh node as `tracemesh node` runs it, configured by its environment, with the bench protocol on top.

const topic = 'bench'
const listen = process.env['BENCH_LISTEN'] ?? '/ip4/127.0.0.1/udp/0/quic-v1'
/** Between two sweeps of the peer store: no setting, since only a test needs another interval. */
const sweepMs = process.env['BENCH_PEER_STORE_SWEEP_MS']
tuneV8()
// Load it before `ready`, as other peers load their code.
const { startNode } = await import('../node/node.ts')
const deliveries = new Deliveries()
let running: RunningNode | undefined

await servePeer(
  {
    addresses: listen.split(','),
    start: async (dial) => {
      const config = parseConfig({ ...process.env, MESH_LISTEN: listen, MESH_SEEDS: dial.join(',') })
      running = await startNode(config, sweepMs === undefined ? {} : { peerStoreSweepMs: Number(sweepMs) })
      running.mesh.subscribe(topic, ({ data }) => deliveries.record(data))
    },
    publish: async (data) => running?.mesh.publish(topic, data),
    links: () => running?.mesh.topology().peers.length ?? 0,
    members: () => running?.mesh.topology().members.length ?? 0,
    copies: countCopies(topic),
    stop: async () => running?.stop('bench'),
  },
  deliveries,
)
