import assert from 'node:assert/strict'
import { test } from 'node:test'
import { context, ProxyTracerProvider, propagation, TraceFlags, trace } from '@opentelemetry/api'
import { InMemorySpanExporter, SimpleSpanProcessor, type SpanProcessor } from '@opentelemetry/sdk-trace'
import { emitSpan } from '../catalogue/span-effect.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { startMemoryTelemetry, window } from '../testing/otlp/memory-telemetry.ts'
import type { SpanProcessors } from './forwarding-span-processor.ts'

leakCheck()

const ref = { traceId: '1'.repeat(32), spanId: '2'.repeat(16) }
const stalled = { 'mesh.stall.slept_ms': 1, 'mesh.stall.suspended_ms': 2 }
const brokenInvariant = {
  'mesh.invariant': 'registry-bound',
  'mesh.invariant.owner': 'ledger',
  'mesh.invariant.broken_ms': 0,
  'mesh.invariant.ids': [],
  'mesh.expected': 1,
  'mesh.actual': 2,
} as const

function start(spanProcessor: SpanProcessors) {
  const reports: string[] = []
  const logger = (_level: string, message: string) => void reports.push(message)
  return { ...startMemoryTelemetry({ spanProcessor, logger }), reports }
}

/** A processor that counts calls, with the methods of `over` in place of its own. */
function countingProcessor(over: Partial<SpanProcessor> = {}) {
  const calls = { started: 0, ended: 0, flushed: 0, shut: 0 }
  const processor: SpanProcessor = {
    onStart: () => void calls.started++,
    onEnd: () => void calls.ended++,
    forceFlush: async () => void calls.flushed++,
    shutdown: async () => void calls.shut++,
    ...over,
  }
  return { calls, processor }
}

test('a processor of SDK 1.x: finds scope and parent under its own names', () => {
  const ended: unknown[] = []
  const { processor } = countingProcessor({ onEnd: (span) => void ended.push(span) })
  const { telemetry } = start(processor)
  telemetry.emit(emitSpan('mesh.node.stalled', stalled), window)
  const [span] = ended as { instrumentationLibrary: { name: string }; parentSpanId: string }[]
  assert.deepEqual([span?.instrumentationLibrary.name, span?.parentSpanId], ['tracemesh', window.spanId])
})

test('a processor of the application: gets each span with ids, parent, links, attributes and resource', async () => {
  const exporter = new InMemorySpanExporter()
  const processor = new SimpleSpanProcessor({ exporter })
  const { telemetry, clock } = start(processor)
  telemetry.emit(
    emitSpan('mesh.node.stalled', stalled, { ref, parent: null, links: [window], since: 4_000 }),
    undefined,
  )
  telemetry.emit(emitSpan('mesh.leak.suspected', brokenInvariant, { parent: ref }), undefined)
  telemetry.emit(emitSpan('mesh.node.stalled', stalled), window)
  await processor.forceFlush()
  const [root, child, inWindow] = exporter.getFinishedSpans()
  assert.deepEqual([root?.name, child?.name], ['mesh.node.stalled', 'mesh.leak.suspected'])
  const { traceId, spanId, traceFlags } = root?.spanContext() ?? {}
  assert.deepEqual({ traceId, spanId, traceFlags }, { ...ref, traceFlags: TraceFlags.SAMPLED })
  assert.deepEqual([root?.parentSpanContext, root?.links[0]?.context.spanId], [undefined, window.spanId])
  assert.deepEqual([root?.attributes, root?.status.code], [{ ...stalled, 'mesh.seq': 1 }, 0])
  assert.deepEqual([root?.duration, root?.endTime[0]], [[1, 0], Math.floor(clock.wall() / 1_000)])
  assert.deepEqual([child?.spanContext().traceId, child?.parentSpanContext?.spanId], [ref.traceId, ref.spanId])
  assert.deepEqual([child?.attributes, child?.status.code], [{ ...brokenInvariant, 'mesh.seq': 2 }, 2])
  assert.equal(inWindow?.parentSpanContext?.spanId, window.spanId)
  assert.equal(root?.resource.attributes['mesh.peer.self'], 'peer-1')
})

test('several processors: each gets every span at once, and attributes added in onStart stay', async () => {
  const exporter = new InMemorySpanExporter()
  const simple = new SimpleSpanProcessor({ exporter })
  const adding = countingProcessor({ onStart: (span) => void span.setAttribute('tenant', 't1') })
  const { telemetry } = start([adding.processor, simple])
  telemetry.emit(emitSpan('mesh.node.stalled', stalled), window)
  assert.deepEqual(telemetry.stats, { emitted: 1, exported: 1, queued: 0, lostTotal: 0, sampledOut: 0 })
  assert.equal(adding.calls.ended, 1)
  await simple.forceFlush()
  assert.equal(exporter.getFinishedSpans()[0]?.attributes['tenant'], 't1')
})

test('closing telemetry: neither flushes nor shuts down the processors of the application', async () => {
  const { calls, processor } = countingProcessor()
  const { telemetry, clock } = start(processor)
  telemetry.emit(emitSpan('mesh.node.stalled', stalled), window)
  assert.deepEqual(await telemetry.flush(1_000), { left: 0 })
  assert.deepEqual(await telemetry.close(1_000), { lost: 0 })
  assert.deepEqual(calls, { started: 1, ended: 1, flushed: 0, shut: 0 })
  assert.equal(clock.pending, 0)
})

test('a processor that throws: its spans count as lost, one report, mesh and other processors go on', async () => {
  let fails = true
  const brokenInvariant = countingProcessor({
    onEnd: () => {
      if (fails) throw new Error('full')
    },
  })
  const other = countingProcessor()
  const { telemetry, reports } = start([brokenInvariant.processor, other.processor])
  const three = () => {
    for (let i = 0; i < 3; i++) telemetry.emit(emitSpan('mesh.node.stalled', stalled), window)
  }
  three()
  fails = false
  three()
  assert.deepEqual(telemetry.stats, { emitted: 6, exported: 3, queued: 0, lostTotal: 3, sampledOut: 0 })
  assert.deepEqual([other.calls.ended, reports], [6, ['a span processor failed']])
  assert.deepEqual(await telemetry.close(1_000), { lost: 3 })
})

test('a processor of the application: the global provider, context manager and propagator stay unchanged', () => {
  const { telemetry } = start(new SimpleSpanProcessor({ exporter: new InMemorySpanExporter() }))
  telemetry.emit(emitSpan('mesh.node.stalled', stalled), window)
  const global = trace.getTracerProvider()
  assert.ok(global instanceof ProxyTracerProvider)
  assert.equal(global.getDelegate().constructor.name, 'NoopTracerProvider')
  assert.equal(
    context.with(trace.setSpanContext(context.active(), { ...ref, traceFlags: TraceFlags.SAMPLED }), () =>
      trace.getActiveSpan(),
    ),
    undefined,
  )
  assert.deepEqual(propagation.fields(), [])
})
