import { monitorEventLoopDelay } from 'node:perf_hooks'
import { createInterface } from 'node:readline'
import { gossipsub } from '@chainsafe/libp2p-gossipsub'
import { identify } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { quic } from '@libp2p/quic'
import { yamux } from '@libp2p/yamux'
import { createLibp2p } from 'libp2p'
import { quicSettings } from '../../kit/transports.ts'
import { parseConfig } from '../../node/config.ts'
import { startNode } from '../../node/node.ts'

// The seed that a storm joins: seed ours|stock TOPIC. Ours is a complete node with the configuration of its environment,
// stock a js-libp2p with gossipsub and its defaults. Prints {"event":"ready","port","peer"}, and for each input line
// {"event":"count",...}: the peers that it has linked and lists, and its event loop and CPU since the line before.

const [kind = 'ours', topic = ''] = process.argv.slice(2)
const listen = '/ip4/0.0.0.0/udp/0/quic-v1'
const printLine = (line: object) => process.stdout.write(`${JSON.stringify(line)}\n`)

interface Seed {
  readonly peer: string
  readonly addresses: readonly string[]
  /** Peers that it has linked, and that it lists. */
  counts(): { readonly linked: number; readonly listed: number; readonly refused: object }
  stop(): Promise<unknown>
}

async function startOurs(): Promise<Seed> {
  const node = await startNode(parseConfig({ ...process.env, MESH_LISTEN: listen }))
  const { mesh } = node
  return {
    peer: node.peer,
    addresses: node.addresses,
    counts: () => {
      const { peers, members } = mesh.topology()
      const linked = peers.filter(({ kind: peerKind }) => peerKind === 'member').length
      const listed = members.filter(({ peer }) => peer !== node.peer).length
      return { linked, listed, refused: mesh.limitCounts() }
    },
    stop: () => node.stop('requested'),
  }
}

async function startStock(): Promise<Seed> {
  const libp2p = await createLibp2p({
    addresses: { listen: [listen] },
    transports: [quic(quicSettings)],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services: { identify: identify(), pubsub: gossipsub({ allowPublishToZeroTopicPeers: true }) },
  })
  libp2p.services.pubsub.subscribe(topic)
  return {
    peer: libp2p.peerId.toString(),
    addresses: libp2p.getMultiaddrs().map(String),
    counts: () => ({
      linked: libp2p.getPeers().length,
      listed: libp2p.services.pubsub.getSubscribers(topic).length,
      refused: {},
    }),
    stop: async () => libp2p.stop(),
  }
}

const seed = await (kind === 'ours' ? startOurs() : startStock())
const port = Number(/\/udp\/(\d+)\//.exec(seed.addresses[0] ?? '')?.[1])
const loop = monitorEventLoopDelay({ resolution: 5 })
loop.enable()
printLine({ event: 'ready', port, peer: seed.peer })
let cpu = process.cpuUsage()
for await (const line of createInterface({ input: process.stdin })) {
  const { user, system } = process.cpuUsage(cpu)
  const delay = { p99: loop.percentile(99) / 1e6, max: loop.max / 1e6 }
  const { rss } = process.memoryUsage()
  printLine({ event: 'count', ...seed.counts(), delay, cpuMs: Math.round((user + system) / 1_000), rss })
  if (line !== 'reset') continue
  loop.reset()
  cpu = process.cpuUsage()
}
await seed.stop()
