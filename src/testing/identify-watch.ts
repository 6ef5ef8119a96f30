import { generateKeyPair } from '@libp2p/crypto/keys'
import { identify } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'

// A plain js-libp2p peer that keeps a connection to WATCH_ADDRESS, asks identify every second which addresses it has, and
// prints them.

const address = multiaddr(process.env['WATCH_ADDRESS'] ?? '')
const say = (line: object) => process.stdout.write(`${JSON.stringify(line)}\n`)
const everyMs = 1_000

const libp2p = await createLibp2p({
  privateKey: await generateKeyPair('Ed25519'),
  transports: [tcp()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  services: { identify: identify() },
})
libp2p.addEventListener('peer:identify', ({ detail }) => {
  say({ msg: 'identified', addresses: detail.listenAddrs.map(String), at: Date.now() })
})
await libp2p.dial(address)
say({ msg: 'listening', peer: libp2p.peerId.toString(), addresses: [] })
setInterval(() => {
  const [connection] = libp2p.getConnections()
  const asked = connection === undefined ? libp2p.dial(address) : libp2p.services.identify.identify(connection)
  // An answer that does not come shows in what is printed.
  asked.catch(() => {})
}, everyMs)
