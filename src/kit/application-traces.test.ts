import assert from 'node:assert/strict'
import { test } from 'node:test'
import { trace } from '@opentelemetry/api'
import { InMemorySpanExporter, type ReadableSpan, SimpleSpanProcessor } from '@opentelemetry/sdk-trace'
import { until } from '../processes/waiting.ts'
import { createLogger } from '../telemetry/logger.ts'
import { appTracing } from '../testing/app-tracing.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { createApp, withLinkedApps } from '../testing/suite/mesh-app.ts'
import type { InternalInit } from './init.ts'

leakCheck()

const { tracer, spansNamed: named } = appTracing()
const body = Uint8Array.of(1)

test('spans of two applications join one trace: publish and handler, request and responder', () =>
  withLinkedApps([{}, {}], async (here, there) => {
    there.mesh.subscribe('news', async () => {
      await null
      tracer.startSpan('handle').end()
    })
    there.mesh.respond('sum', async () => {
      await null
      tracer.startSpan('respond').end()
      return body
    })
    await until(() => here.pubsub.getSubscribers('mesh-a/news').length > 0, 30_000, 'a subscriber')
    await tracer.startActiveSpan('publish', async (span) => {
      await here.mesh.publish('news', body)
      span.end()
    })
    await tracer.startActiveSpan('request', async (span) => {
      await here.mesh.request(there.mesh.peer, 'sum', body)
      span.end()
    })
    await until(() => named('handle').length > 0, 30_000, 'the message')

    const [publish, handle, request, respond] = ['publish', 'handle', 'request', 'respond'].map(
      (name) => named(name)[0],
    )
    assert.equal(handle?.spanContext().traceId, publish?.spanContext().traceId)
    assert.equal(handle?.parentSpanContext?.spanId, publish?.spanContext().spanId)
    assert.deepEqual(there.spansNamed('mesh.message.received')[0]?.links, [
      { traceId: publish?.spanContext().traceId, spanId: publish?.spanContext().spanId },
    ])

    const [sent] = here.spansNamed('mesh.request.sent')
    const [handled] = there.spansNamed('mesh.request.handled')
    assert.equal(sent?.parent?.spanId, request?.spanContext().spanId)
    assert.deepEqual(handled?.parent, sent?.ref)
    assert.equal(respond?.parentSpanContext?.spanId, handled?.ref?.spanId)
    assert.equal(respond?.spanContext().traceId, request?.spanContext().traceId)
  }))

test('a failing request handler: error spans on both ends, and a log line in the trace of the request', () => {
  const lines: Record<string, unknown>[] = []
  const logger = createLogger({ level: 'warn', destination: { write: (line) => lines.push(JSON.parse(line)) } })
  return withLinkedApps([{}, { logger }], async (here, there) => {
    there.mesh.respond('broken', () => {
      throw new TypeError('the shelf is empty')
    })
    there.mesh.respond('long', () => new Uint8Array(60_001))
    const request = (topic: string) => here.mesh.request(there.mesh.peer, topic, body)
    await assert.rejects(request('broken'), { code: 'MESH_REQUEST_FAILED' })
    await assert.rejects(request('long'), /60001 bytes exceeds the limit/)
    const [sent] = here.spansNamed('mesh.request.sent')
    const [handled] = there.spansNamed('mesh.request.handled')
    assert.deepEqual([sent?.failed, handled?.failed], [true, true])
    const errorTypes = [sent, handled].map((span) => span?.attributes['error.type'])
    assert.deepEqual(errorTypes, ['handler-failed', 'TypeError'])
    const [line] = lines
    const fields = ['msg', 'topic', 'peer', 'trace_id'].map((name) => line?.[name])
    assert.deepEqual(fields, ['a request handler failed', 'broken', here.mesh.peer, sent?.ref?.traceId])
  })
})

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
    const expected = life.map((_, index) => index + 1)
    assert.deepEqual(numbers, expected)
  }
  assert.equal(trace.getTracerProvider(), global)
})
