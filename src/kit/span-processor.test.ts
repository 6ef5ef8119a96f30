import assert from 'node:assert/strict'
import { test } from 'node:test'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { identify } from '@libp2p/identify'
import { trace } from '@opentelemetry/api'
import { InMemorySpanExporter, type ReadableSpan, SimpleSpanProcessor } from '@opentelemetry/sdk-trace'
import { createLibp2p } from 'libp2p'
import { leakCheck } from '../testing/leak-check.ts'
import { listenOn } from '../testing/suite/real-world.ts'
import { libp2pSettings } from './libp2p-settings.ts'
import { tracemeshInternal } from './service.ts'

leakCheck()

test('a span processor of the application gets the spans of the mesh, and outlives it', async () => {
  const exporter = new InMemorySpanExporter()
  const spanProcessor = new SimpleSpanProcessor({ exporter })
  const { services: _, ...settings } = libp2pSettings({
    privateKey: await generateKeyPair('Ed25519'),
    listen: [listenOn.tcp],
  })
  const global = trace.getTracerProvider()
  const service = tracemeshInternal({ spanProcessor, name: 'app' })
  const libp2p = await createLibp2p({ ...settings, services: { identify: identify(), tracemesh: service } })
  const { peer } = libp2p.services.tracemesh
  await libp2p.stop()
  await libp2p.start()
  await libp2p.stop()

  await spanProcessor.forceFlush()
  const spans = exporter.getFinishedSpans()
  const named = (name: string): ReadableSpan[] => spans.filter((span) => span.name === name)
  assert.deepEqual([named('mesh.node.started').length, named('mesh.node.stopped').length], [2, 2])
  const [stopped] = named('mesh.node.stopped')
  const steps = named('mesh.node.step').filter(
    ({ parentSpanContext }) => parentSpanContext?.spanId === stopped?.spanContext().spanId,
  )
  assert.ok(steps.length > 0)
  const own = spans.filter(({ resource }) => resource.attributes['mesh.peer.self'] === peer)
  assert.equal(own.length, spans.length)
  const lives = [...Map.groupBy(spans, ({ resource }) => resource.attributes['service.instance.id']).values()]
  assert.equal(lives.length, 2)
  for (const life of lives) {
    const numbers = life.map(({ attributes }) => attributes['mesh.seq'])
    assert.deepEqual(
      numbers,
      life.map((_, index) => index + 1),
    )
  }
  assert.equal(trace.getTracerProvider(), global)
})
