// A plain js-libp2p peer without the service: it dials a member and gossips on its topic. Members read what it publishes;
// what they publish has a header, which `decodeMessage` takes off.
//
//   node guest.ts ADDRESS
import { gossipsub } from '@libp2p/gossipsub'
import { identify } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { decodeMessage, topicName } from 'tracemesh'

const [address = ''] = process.argv.slice(2)
const node = await createLibp2p({
  transports: [tcp()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  services: { identify: identify(), pubsub: gossipsub({ allowPublishToZeroTopicPeers: true }) },
})
const { pubsub } = node.services
const topic = topicName('example', 'news')

pubsub.addEventListener('message', ({ detail }) => {
  if (detail.topic !== topic) return
  const { body, trace } = decodeMessage(detail.data)
  console.log(`a member says ${new TextDecoder().decode(body)}${trace === undefined ? '' : `, trace ${trace.traceId}`}`)
})
pubsub.subscribe(topic)
await node.dial(multiaddr(address))
console.log(`${node.peerId} is connected`)

const publishing = setInterval(() => {
  void pubsub.publish(topic, new TextEncoder().encode('a guest greets'))
}, 1_000)

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, async () => {
    clearInterval(publishing)
    await node.stop()
  })
}
