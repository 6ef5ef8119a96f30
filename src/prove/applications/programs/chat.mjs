// The chat of the js-libp2p examples, with all their services: it dials each discovered peer.
import { autoNAT } from '@libp2p/autonat'
import { bootstrap } from '@libp2p/bootstrap'
import { circuitRelayServer, circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { dcutr } from '@libp2p/dcutr'
import { gossipsub } from '@libp2p/gossipsub'
import { identify, identifyPush } from '@libp2p/identify'
import { mdns } from '@libp2p/mdns'
import { ping } from '@libp2p/ping'
import { webSockets } from '@libp2p/websockets'
import { multiaddr } from '@multiformats/multiaddr'
import { every, group, index, node, peers, serve } from './harness.mjs'

const echo = '/chat/echo/1.0.0'
/** The first process is the relay; its limits let a relayed connection outlive the proof. */
const isRelay = index === 0
const relay = circuitRelayServer({
  reservations: { defaultDurationLimit: 3_600_000, defaultDataLimit: 1n << 30n, applyDefaultLimit: true },
})
const libp2p = await node({
  listen: ['/ip4/127.0.0.1/tcp/0/ws', ...(isRelay ? [] : ['/p2p-circuit'])],
  transports: [webSockets(), circuitRelayTransport()],
  peerDiscovery: [
    mdns({ interval: 5_000, serviceTag: `_${group}._udp.local` }),
    ...(isRelay ? [] : [bootstrap({ list: peers })]),
  ],
  services: {
    identify: identify(),
    identifyPush: identifyPush(),
    ping: ping(),
    autonat: autoNAT(),
    dcutr: dcutr(),
    pubsub: gossipsub({ allowPublishToZeroTopicPeers: true }),
    ...(isRelay ? { relay } : {}),
  },
})
const { pubsub } = libp2p.services
let sent = 0
let heard = 0
let echoed = 0
let relayed
await libp2p.handle(echo, (stream) => stream.addEventListener('message', ({ data }) => stream.send(data.subarray())), {
  runOnLimitedConnection: true,
})
pubsub.addEventListener('message', ({ detail }) => {
  if (detail.topic === 'room') heard++
})
pubsub.subscribe('room')
libp2p.addEventListener('peer:discovery', ({ detail }) => {
  libp2p.dial(detail.id, { signal: AbortSignal.timeout(10_000) }).catch(() => {})
})

serve({
  libp2p,
  report: () => ({ sent, heard, echoed, subscribers: pubsub.getSubscribers('room').length }),
  commands: {
    work: async () => {
      every(async (count) => {
        sent++
        await pubsub.publish('room', new TextEncoder().encode(`${index} says ${count}`))
        relayed?.send(new TextEncoder().encode(`${count}`))
      })
      return {}
    },
    /** Opens a stream to another process through the relay, beside existing connections. */
    relay: async ({ through, peer }) => {
      const address = multiaddr(`${through}/p2p-circuit/p2p/${peer}`)
      const connection = await libp2p.dial(address, { force: true, signal: AbortSignal.timeout(10_000) })
      relayed = await connection.newStream(echo, { runOnLimitedConnection: true })
      relayed.addEventListener('message', () => echoed++)
      return { limited: connection.limits !== undefined }
    },
  },
})
