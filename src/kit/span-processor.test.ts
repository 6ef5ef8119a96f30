import assert from 'node:assert/strict'
import { test } from 'node:test'
import { trace } from '@opentelemetry/api'
import { InMemorySpanExporter, type ReadableSpan, SimpleSpanProcessor } from '@opentelemetry/sdk-trace'
import { leakCheck } from '../testing/leak-check.ts'
import { createApp } from '../testing/suite/mesh-app.ts'
import type { InternalInit } from './init.ts'

leakCheck()

test('a span processor of the application gets the spans of the mesh, and outlives it', async () => {
  const exporter = new InMemorySpanExporter()
  const spanProcessor = new SimpleSpanProcessor({ exporter })
  const global = trace.getTracerProvider()
  const init = { spanProcessor, name: 'app', telemetry: undefined } as unknown as InternalInit
  const { libp2p, mesh } = await createApp(init)
  const { peer } = mesh
  await libp2p.start()
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
