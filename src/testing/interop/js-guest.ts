import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { gossipsub } from '@chainsafe/libp2p-gossipsub'
import { generateKeyPair, generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import { identify } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { peerIdFromString } from '@libp2p/peer-id'
import { quic } from '@libp2p/quic'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { messageId } from '../../kit/gossip/gossip-settings.ts'
import { withoutPeer } from '../../kit/multiaddrs.ts'
import { reportGossip } from './gossip-reports.ts'

// A plain js-libp2p guest, with the interface that `guest.ts` describes. With `--default-ids` it has the message ids of
// its library in place of those of the specification.

const { values: options } = parseArgs({
  options: {
    seed: { type: 'string' },
    listen: { type: 'string', multiple: true, default: [] },
    dial: { type: 'string', multiple: true, default: [] },
    topic: { type: 'string', multiple: true, default: [] },
    'default-ids': { type: 'boolean', default: false },
  },
})
const report = (event: string, fields: object) => process.stdout.write(`${JSON.stringify({ event, ...fields })}\n`)
const quicOptions: object = { shutdownTimeout: 3_000 }
const libp2p = await createLibp2p({
  privateKey: await (options.seed === undefined
    ? generateKeyPair('Ed25519')
    : generateKeyPairFromSeed('Ed25519', Buffer.from(options.seed, 'hex'))),
  addresses: { listen: options.listen },
  transports: [quic(quicOptions), tcp()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  services: {
    identify: identify(),
    pubsub: gossipsub({
      allowPublishToZeroTopicPeers: true,
      ...(options['default-ids'] ? {} : { msgIdFn: messageId }),
      scoreParams: { IPColocationFactorWeight: 0 },
    }),
  },
})
const { pubsub } = libp2p.services
libp2p.addEventListener('peer:identify', ({ detail: { peerId } }) => report('connected', { peer: String(peerId) }))
libp2p.addEventListener('connection:close', ({ detail: { remotePeer } }) =>
  report('disconnected', { peer: String(remotePeer), left: libp2p.getConnections(remotePeer).length }),
)
const gossip = reportGossip(String(libp2p.peerId), pubsub, report)
for (const topic of options.topic) pubsub.subscribe(topic)
report('listening', { peer: String(libp2p.peerId), addresses: libp2p.getMultiaddrs().map(withoutPeer) })

const [ownTopic = ''] = options.topic
const commands: Readonly<Record<string, (argument: string) => unknown>> = {
  publish: (text) => gossip.publish(ownTopic, Buffer.from(text)),
  'publish-big': (bytes) => gossip.publish(ownTopic, Buffer.alloc(Number(bytes), 'x')),
  dial: (address) => libp2p.dial(multiaddr(address)),
  disconnect: (peer) => libp2p.hangUp(peerIdFromString(peer)),
  scores: () => gossip.reportScores(),
}

async function obey(line: string): Promise<void> {
  const [command = '', ...rest] = line.split(' ')
  const run = commands[command]
  try {
    if (run === undefined) throw new Error('unknown command')
    await run(rest.join(' '))
  } catch (error) {
    report('failed', { command, error: String(error) })
  }
}

for (const address of options.dial) void obey(`dial ${address}`)
for await (const line of createInterface({ input: process.stdin })) {
  if (line === 'quit') break
  void obey(line)
}
gossip.stop()
await libp2p.stop()
