import { setTimeout as sleep } from 'node:timers/promises'
import { gossipsub } from '@chainsafe/libp2p-gossipsub'
import { identify } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { quic } from '@libp2p/quic'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { runLives } from '../../soak/lives/lives.js'

// Short lives of stock js-libp2p peers.

const topic = 'bench'
const pollMs = 20
/** Bounds the stop of the listener; the installed native library has no default for it. @type {object} */
const required = { shutdownTimeout: 400 }

await runLives(async (address) => {
  const node = await createLibp2p({
    transports: [address.includes('/tcp/') ? tcp() : quic(required)],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services: { identify: identify(), pubsub: gossipsub({ allowPublishToZeroTopicPeers: true }) },
  })
  const { pubsub } = node.services
  return {
    join: async (signal) => {
      pubsub.subscribe(topic)
      await node.dial(multiaddr(address), { signal })
      while (pubsub.getSubscribers(topic).length === 0) await sleep(pollMs, undefined, { signal })
    },
    talk: async (data) => (await pubsub.publish(topic, data)).recipients.length,
    abort: () => {
      for (const connection of node.getConnections()) connection.abort(new Error('left'))
    },
    stop: async () => node.stop(),
  }
})
