import { generateKeyPair } from '@libp2p/crypto/keys'
import { identify } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'

// A plain js-libp2p peer that keeps a connection to WATCH_ADDRESS, runs identify on it every second and prints the
// addresses of that peer.

const address = multiaddr(process.env['WATCH_ADDRESS'] ?? '')
const printLine = (line: object) => process.stdout.write(`${JSON.stringify(line)}\n`)
const intervalMs = 1_000

const libp2p = await createLibp2p({
  privateKey: await generateKeyPair('Ed25519'),
  transports: [tcp()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  services: { identify: identify() },
})
libp2p.addEventListener('peer:identify', ({ detail }) => {
  printLine({ msg: 'identified', addresses: detail.listenAddrs.map(String), at: Date.now() })
})
await libp2p.dial(address)
printLine({ msg: 'listening', peer: libp2p.peerId.toString(), addresses: [] })
setInterval(() => {
  const [connection] = libp2p.getConnections()
  const request = connection === undefined ? libp2p.dial(address) : libp2p.services.identify.identify(connection)
  // A failure shows as a missing line of output.
  request.catch(() => {})
}, intervalMs)
