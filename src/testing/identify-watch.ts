import { generateKeyPair } from '@libp2p/crypto/keys'
import { identify, identifyPush } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'

// A plain js-libp2p peer that keeps a connection to WATCH_ADDRESS and prints which addresses identify says it has, at first
// and whenever they are pushed. It dials again when the connection is lost.

const address = multiaddr(process.env['WATCH_ADDRESS'] ?? '')
const say = (line: object) => process.stdout.write(`${JSON.stringify(line)}\n`)
const everyMs = 1_000

const libp2p = await createLibp2p({
  privateKey: await generateKeyPair('Ed25519'),
  transports: [tcp()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  services: { identify: identify(), push: identifyPush() },
})
libp2p.addEventListener('peer:identify', ({ detail }) => {
  say({ msg: 'identified', addresses: detail.listenAddrs.map(String), at: Date.now() })
})
await libp2p.dial(address)
say({ msg: 'listening', peer: libp2p.peerId.toString(), addresses: [] })
setInterval(() => {
  if (libp2p.getConnections().length === 0) libp2p.dial(address).catch(() => {})
}, everyMs)
