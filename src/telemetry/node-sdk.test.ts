import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { context, propagation, type Tracer, trace } from '@opentelemetry/api'
import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace'
import { emitSpan } from '../catalogue/span-effect.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { resource } from '../testing/otlp/node-resource.ts'
import { systemTime } from '../testing/system-time.ts'
import { nodeSdkProvider } from './node-sdk.ts'
import { startTelemetry, type TelemetryOptions } from './telemetry.ts'

leakCheck()

const ref = { traceId: '1'.repeat(32), spanId: '2'.repeat(16) }
const stalled = emitSpan(
  'mesh.node.stalled',
  { 'mesh.stall.slept_ms': 1, 'mesh.stall.suspended_ms': 2 },
  { ref, parent: null },
)

after(() => {
  trace.disable()
  context.disable()
  propagation.disable()
})

function start(provider?: TelemetryOptions['provider']) {
  const spans: ReadableSpan[] = []
  const exporter: SpanExporter = {
    export: (batch, done) => {
      spans.push(...batch)
      done({ code: 0 })
    },
    shutdown: () => Promise.resolve(),
  }
  const providerOption = provider === undefined ? {} : { provider }
  const telemetry = startTelemetry({ clock: systemTime, resource, exporter, ...providerOption })
  const closeAndList = async (): Promise<string[]> => {
    await telemetry.close(1_000)
    return spans.map((span) => `${span.name} ${span.spanContext().spanId}`)
  }
  return { telemetry, end: closeAndList, spans }
}

const isRecording = (tracer: Tracer): boolean => {
  const span = tracer.startSpan('foreign')
  span.end()
  return span.spanContext().traceId !== '0'.repeat(32)
}

test('a private provider: the global one stays unchanged', async () => {
  const { telemetry, end: closeAndList } = start()
  telemetry.emit(stalled, undefined)
  assert.equal(isRecording(trace.getTracer('application')), false)
  assert.deepEqual(await closeAndList(), [`mesh.node.stalled ${ref.spanId}`])
})

test('NodeSDK as the global provider: spans of other code are exported too', async (t) => {
  process.env['OTEL_RESOURCE_ATTRIBUTES'] = 'service.version=app-9'
  t.after(() => delete process.env['OTEL_RESOURCE_ATTRIBUTES'])
  const { telemetry, end: closeAndList, spans } = start(nodeSdkProvider)
  telemetry.emit(stalled, undefined)
  trace.getTracer('application').startSpan('foreign').end()
  assert.equal(telemetry.stats.emitted, 2)
  const [own, foreign] = await closeAndList()
  assert.equal(own, `mesh.node.stalled ${ref.spanId}`)
  assert.match(foreign ?? '', /^foreign [0-9a-f]{16}$/)
  assert.equal(spans[0]?.instrumentationScope.version, resource.version)
})

test('a global provider registered before: it stays, and ours is private', async () => {
  const { telemetry, end: closeAndList } = start(nodeSdkProvider)
  telemetry.emit(stalled, undefined)
  assert.deepEqual(await closeAndList(), [`mesh.node.stalled ${ref.spanId}`])
})
