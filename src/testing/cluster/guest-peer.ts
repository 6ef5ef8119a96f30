import { createInterface } from 'node:readline'
import { gossipsub } from '@chainsafe/libp2p-gossipsub'
import { generateKeyPair, generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import { identify } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { quic } from '@libp2p/quic'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'

// A plain js-libp2p peer without the mesh protocol: it dials one address and gossips on one topic. A guest in any other
// implementation has the same interface:
//   guest ADDRESS TOPIC; prints {"event":"ready","peer"} and {"event":"message","from","text"} lines, reads
//   `publish TEXT` lines, ends when its input does. GUEST_KEY (64 hexadecimal digits) makes it the same peer again.

const [address = '', topic = ''] = process.argv.slice(2)
const key = process.env['GUEST_KEY']
const printLine = (line: object) => process.stdout.write(`${JSON.stringify(line)}\n`)

const quicOptions: object = { shutdownTimeout: 3_000 }
const libp2p = await createLibp2p({
  privateKey: await (key === undefined
    ? generateKeyPair('Ed25519')
    : generateKeyPairFromSeed('Ed25519', Buffer.from(key, 'hex'))),
  transports: [quic(quicOptions), tcp()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  services: { identify: identify(), pubsub: gossipsub({ allowPublishToZeroTopicPeers: true }) },
})
const { pubsub } = libp2p.services
pubsub.addEventListener('message', ({ detail: message }) => {
  const from = message.type === 'signed' ? message.from.toString() : ''
  printLine({ event: 'message', from, text: new TextDecoder().decode(message.data) })
})
pubsub.subscribe(topic)
await libp2p.dial(multiaddr(address))
printLine({ event: 'ready', peer: libp2p.peerId.toString() })
for await (const line of createInterface({ input: process.stdin })) {
  if (line.startsWith('publish ')) await pubsub.publish(topic, new TextEncoder().encode(line.slice('publish '.length)))
}
await libp2p.stop()
