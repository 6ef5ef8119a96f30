import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { identify } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { silentLibp2p } from '../../kit/libp2p-logger.ts'

// Plain js-libp2p peers, each with an identity of its own: passing-peers ADDRESS COUNT STAYING. COUNT of them connect,
// wait until both ends are identified, and leave, eight at a time; STAYING more stay. Prints {"event":"passed"}, and
// ends when its input does.

const [address = '', count = '0', staying = '0'] = process.argv.slice(2)
const concurrent = 8
/** After their own identify: the other end has asked at the same time. */
const identifiedMs = 50

async function connect() {
  const libp2p = await createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionMonitor: { enabled: false },
    logger: silentLibp2p,
    services: { identify: identify() },
  })
  const identified = new Promise((resolve) => libp2p.addEventListener('peer:identify', resolve, { once: true }))
  await libp2p.dial(multiaddr(address))
  await identified
  await sleep(identifiedMs)
  return libp2p
}

const stayers = await Promise.all(Array.from({ length: Number(staying) }, connect))
let left = Number(count)
const pass = async () => {
  while (left-- > 0) await (await connect()).stop()
}
await Promise.all(Array.from({ length: concurrent }, pass))
process.stdout.write(`${JSON.stringify({ event: 'passed' })}\n`)
await new Promise((resolve) => createInterface({ input: process.stdin }).once('close', resolve))
await Promise.all(stayers.map((peer) => peer.stop()))
