// An application with its own tracer provider: one of its own spans for each message that it sends.
import { gossipsub } from '@libp2p/gossipsub'
import { identify } from '@libp2p/identify'
import { multiaddr } from '@multiformats/multiaddr'
import { trace } from '@opentelemetry/api'
import { BatchSpanProcessor, NodeTracerProvider } from '@opentelemetry/sdk-trace-node'
import { every, index, node, peers, serve } from './harness.mjs'

let spans = 0
let foreign = 0
const exporter = {
  export: (batch, done) => {
    for (const { name } of batch) {
      if (name === 'say') spans++
      else foreign++
    }
    done({ code: 0 })
  },
  forceFlush: async () => {},
  shutdown: async () => {},
}
const provider = new NodeTracerProvider({ spanProcessors: [new BatchSpanProcessor(exporter)] })
provider.register()

const libp2p = await node({
  services: { identify: identify(), pubsub: gossipsub({ allowPublishToZeroTopicPeers: true }) },
})
const { pubsub } = libp2p.services
for (const peer of peers) await libp2p.dial(multiaddr(peer))
let sent = 0
let heard = 0
pubsub.addEventListener('message', ({ detail }) => {
  if (detail.topic === 'room') heard++
})
pubsub.subscribe('room')

serve({
  libp2p,
  report: async () => {
    await provider.forceFlush()
    return { sent, heard, spans, foreign, subscribers: pubsub.getSubscribers('room').length }
  },
  stop: async () => {
    await libp2p.stop()
    await provider.shutdown()
  },
  commands: {
    work: async () => {
      every((count) =>
        trace.getTracer('chat').startActiveSpan('say', async (span) => {
          sent++
          await pubsub.publish('room', new TextEncoder().encode(`${index} says ${count}`))
          span.end()
        }),
      )
      return {}
    },
  },
})
