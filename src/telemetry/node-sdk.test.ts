import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { context, propagation, type Tracer, trace } from '@opentelemetry/api'
import { emitSpan } from '../catalogue/span-effect.ts'
import { systemClock } from '../kit/clock.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { memoryExporter, resource } from '../testing/otlp/memory-telemetry.ts'
import { setEnvironment } from '../testing/surroundings.ts'
import { nodeSdkProvider } from './node-sdk.ts'
import type { ProviderFactory } from './provider.ts'
import { startTelemetry } from './telemetry.ts'

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

function start(provider?: ProviderFactory) {
  const { exporter, spans } = memoryExporter()
  const telemetry = startTelemetry({ clock: systemClock, resource, exporter, ...(provider && { provider }) })
  const closeAndList = async (): Promise<string[]> => {
    await telemetry.close(1_000)
    return spans.map((span) => `${span.name} ${span.spanContext().spanId}`)
  }
  return { telemetry, closeAndList, spans }
}

const isRecording = (tracer: Tracer): boolean => {
  const span = tracer.startSpan('foreign')
  span.end()
  return span.spanContext().traceId !== '0'.repeat(32)
}

test('a private provider: the global one stays unchanged', async () => {
  const { telemetry, closeAndList } = start()
  telemetry.emit(stalled, undefined)
  assert.equal(isRecording(trace.getTracer('application')), false)
  assert.deepEqual(await closeAndList(), [`mesh.node.stalled ${ref.spanId}`])
})

test('NodeSDK as the global provider: spans of other code are exported too', async (t) => {
  setEnvironment(t, { OTEL_RESOURCE_ATTRIBUTES: 'service.version=app-9' })
  const { telemetry, closeAndList, spans } = start(nodeSdkProvider)
  telemetry.emit(stalled, undefined)
  trace.getTracer('application').startSpan('foreign').end()
  assert.equal(telemetry.stats.emitted, 2)
  const [own, foreign] = await closeAndList()
  assert.equal(own, `mesh.node.stalled ${ref.spanId}`)
  assert.match(foreign ?? '', /^foreign [0-9a-f]{16}$/)
  assert.equal(spans[0]?.instrumentationScope.version, resource.version)
})

test('a global provider registered before: it stays, and ours is private', async () => {
  const { telemetry, closeAndList } = start(nodeSdkProvider)
  telemetry.emit(stalled, undefined)
  assert.deepEqual(await closeAndList(), [`mesh.node.stalled ${ref.spanId}`])
})
