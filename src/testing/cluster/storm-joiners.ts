import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { gossipsub } from '@chainsafe/libp2p-gossipsub'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { identify } from '@libp2p/identify'
import type { Libp2p } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { quic } from '@libp2p/quic'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { tracemesh } from '../../kit/index.ts'
import { libp2pSettings } from '../../kit/libp2p-settings.ts'
import { quicSettings } from '../../kit/transports.ts'

// Many peers in one process: joiners ours|stock TOPIC ADDRESS... Each joins the seed at one of the addresses, all of them
// at the first line of input. Prints {"event":"ready"}, then {"event":"joined","ms":[...]} once each has its link, with
// the milliseconds that each took. Ends when its input does.

const [kind = 'ours', topic = '', ...addresses] = process.argv.slice(2)
const limitMs = 60_000
const printLine = (line: object) => process.stdout.write(`${JSON.stringify(line)}\n`)

interface Joiner {
  readonly libp2p: Pick<Libp2p, 'dial' | 'getConnections' | 'stop' | 'status'>
  readonly address: string
  hasJoined(): boolean
}

/** An application with the mesh as a service; it dials no other joiner. */
async function createOurs(address: string): Promise<Joiner> {
  const privateKey = await generateKeyPair('Ed25519')
  const { services, ...settings } = libp2pSettings({ privateKey, listen: [] })
  const service = tracemesh({ neighbours: 0, otlp: 'off' })
  const libp2p = await createLibp2p({ ...settings, services: { ...services, tracemesh: service } })
  const hasJoined = () => libp2p.services.tracemesh.topology().peers.some(({ kind: it }) => it === 'member')
  return { libp2p, address, hasJoined }
}

async function createStock(address: string): Promise<Joiner> {
  const libp2p = await createLibp2p({
    transports: [quic(quicSettings)],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services: { identify: identify(), pubsub: gossipsub({ allowPublishToZeroTopicPeers: true }) },
  })
  const { pubsub } = libp2p.services
  pubsub.subscribe(topic)
  return { libp2p, address, hasJoined: () => pubsub.getSubscribers(topic).length > 0 }
}

async function join({ libp2p, address, hasJoined }: Joiner): Promise<void> {
  while (libp2p.status === 'started' && !hasJoined()) {
    // Over QUIC a refused dial first succeeds.
    if (libp2p.getConnections().length === 0) await libp2p.dial(multiaddr(address)).catch(() => {})
    await sleep(100)
  }
}

const joiners = await Promise.all(addresses.map(kind === 'ours' ? createOurs : createStock))
printLine({ event: 'ready' })
const lines = createInterface({ input: process.stdin })
lines.once('line', async () => {
  const from = performance.now()
  const took: number[] = []
  const waiting = new Set(joiners)
  for (const joiner of joiners) void join(joiner)
  while (waiting.size > 0 && performance.now() - from < limitMs) {
    for (const joiner of waiting) {
      if (!joiner.hasJoined()) continue
      waiting.delete(joiner)
      took.push(Math.round(performance.now() - from))
    }
    await sleep(50)
  }
  printLine({ event: 'joined', ms: took })
})
await new Promise((resolve) => lines.once('close', resolve))
await Promise.all(joiners.map(({ libp2p }) => libp2p.stop()))
