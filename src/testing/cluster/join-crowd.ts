import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { gossipsub } from '@chainsafe/libp2p-gossipsub'
import { identify } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { quic } from '@libp2p/quic'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'

// Many plain js-libp2p guests in one process: crowd ADDRESS TOPIC COUNT. Starts them, prints {"event":"ready"}, dials the
// address with all of them at its first line of input, prints {"event":"joined","ms"} once each has received the
// topic subscription of that node, and ends when its input does.

const [address = '', topic = '', count = '0'] = process.argv.slice(2)
const printLine = (line: object) => process.stdout.write(`${JSON.stringify(line)}\n`)
const quicOptions: object = { shutdownTimeout: 400 }

const guest = async () => {
  const libp2p = await createLibp2p({
    transports: [quic(quicOptions)],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionMonitor: { enabled: false },
    services: { identify: identify(), pubsub: gossipsub({ allowPublishToZeroTopicPeers: true }) },
  })
  libp2p.services.pubsub.subscribe(topic)
  return libp2p
}

const guests = await Promise.all(Array.from({ length: Number(count) }, guest))
let isEnding = false
const join = async (one: Awaited<ReturnType<typeof guest>>) => {
  while (!isEnding && one.services.pubsub.getSubscribers(topic).length === 0) {
    // Over QUIC a refused dial first succeeds.
    if (one.getConnections().length === 0) await one.dial(multiaddr(address)).catch(() => {})
    await sleep(100)
  }
}
printLine({ event: 'ready' })
const lines = createInterface({ input: process.stdin })
lines.once('line', async () => {
  const from = performance.now()
  await Promise.all(guests.map(join))
  printLine({ event: 'joined', ms: Math.round(performance.now() - from) })
})
await new Promise((resolve) => lines.once('close', resolve))
isEnding = true
await Promise.all(guests.map((one) => one.stop()))
