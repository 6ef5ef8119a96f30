// An application with an OpenTelemetry SDK of its own: its span, the mesh's span of the message, and the span of the
// handler at the receiver are one trace. The spans of the mesh leave through the application's processor.
//
//   node own-node-sdk.ts SEED
import { gossipsub } from '@libp2p/gossipsub'
import { identify } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { trace } from '@opentelemetry/api'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-grpc'
import { NodeSDK } from '@opentelemetry/sdk-node'
import { BatchSpanProcessor } from '@opentelemetry/sdk-trace'
import { createLibp2p } from 'libp2p'
import { tracemesh } from 'tracemesh'

const processor = new BatchSpanProcessor({ exporter: new OTLPTraceExporter() })
const sdk = new NodeSDK({ serviceName: 'shop', spanProcessors: [processor] })
sdk.start()
const tracer = trace.getTracer('shop')

const node = await createLibp2p({
  addresses: { listen: ['/ip4/0.0.0.0/tcp/0'] },
  transports: [tcp()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  services: {
    identify: identify(),
    pubsub: gossipsub(),
    tracemesh: tracemesh({ mesh: 'example', name: 'shop', seeds: process.argv.slice(2), spanProcessor: processor }),
  },
})
const { tracemesh: mesh } = node.services

// The span of whoever published is the active one here, so this span is its child.
mesh.subscribe('orders', ({ from }) =>
  tracer.startActiveSpan('pack order', (span) => {
    console.log(`packing an order of ${from}, trace ${span.spanContext().traceId}`)
    span.end()
  }),
)

const ordering = setInterval(() => {
  void tracer.startActiveSpan('place order', async (span) => {
    const { recipients } = await mesh.publish('orders', new TextEncoder().encode('one lamp'))
    console.log(`ordered from ${recipients} peers, trace ${span.spanContext().traceId}`)
    span.end()
  })
}, 1_000)

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, async () => {
    clearInterval(ordering)
    await node.stop()
    await sdk.shutdown()
  })
}
