import assert from 'node:assert/strict'
import { hostname } from 'node:os'
import { test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { SpanKind, SpanStatusCode } from '@opentelemetry/api'
import { InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace'
import { censusAttributes } from '../catalogue/census.ts'
import { emitSpan, type SpanEffect } from '../catalogue/span-effect.ts'
import type { Link } from '../core/link.ts'
import { emitConnectionOpened } from '../core/spans/link.ts'
import { childOf } from '../core/trace.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { idleCensus, memberLeft, startMemoryTelemetry as start, window } from '../testing/otlp/memory-telemetry.ts'
import { setEnvironment } from '../testing/surroundings.ts'
import { machineId } from './provider.ts'

leakCheck()

const routine = emitSpan('mesh.window', { 'mesh.window.seq': 1, 'mesh.node.uptime_ms': 1 })

/** Bytes, after a full collection. */
function heapUsed(): number {
  setFlagsFromString('--expose-gc')
  runInNewContext('gc')()
  return process.memoryUsage().heapUsed
}

test('the parent of a span: by default the window, with null none, otherwise the given span', async () => {
  const { telemetry, flush } = start()
  const parent = { traceId: 'c'.repeat(32), spanId: 'd'.repeat(16) }
  const ref = { ...parent, spanId: '3'.repeat(16) }
  const inWindow = telemetry.emit(memberLeft, window)
  const root = telemetry.emit({ ...memberLeft, parent: null }, window)
  const child = telemetry.emit({ ...memberLeft, ref, parent }, window)
  const exported = (await flush()).map((span) => {
    const { traceId, spanId } = span.spanContext()
    return [traceId, spanId, span.parentSpanContext?.spanId]
  })
  assert.deepEqual(exported, [
    [window.traceId, inWindow.spanId, window.spanId],
    [root.traceId, root.spanId, undefined],
    [parent.traceId, ref.spanId, parent.spanId],
  ])
  assert.equal(child.spanId, ref.spanId)
})

test('a parent or link that its process does not export: the span is a root of the same trace, without that link', async () => {
  const { telemetry, flush } = start()
  const remote = { traceId: 'c'.repeat(32), spanId: 'd'.repeat(16), sampled: false } as const
  telemetry.emit({ ...memberLeft, parent: remote, links: [remote, window] }, window)
  const [span] = await flush()
  assert.deepEqual([span?.spanContext().traceId, span?.parentSpanContext], [remote.traceId, undefined])
  assert.deepEqual([span?.links.length, span?.links[0]?.context.spanId], [1, window.spanId])
})

test('an effect with `since`: the span starts then and ends now, by the wall clock', async () => {
  const { clock, telemetry, flush } = start()
  clock.advance(1_500)
  telemetry.emit({ ...memberLeft, since: 6_000 }, window)
  telemetry.emit(memberLeft, window)
  const [attempt, point] = await flush()
  const at = clock.wall() / 1_000
  assert.deepEqual(attempt?.endTime, [Math.floor(at), (at % 1) * 1e9])
  assert.deepEqual(attempt?.duration, [0, 500_000_000])
  // A microsecond, as precise as a double: Jaeger warns of spans that end as they begin.
  const [seconds, nanoseconds] = point?.duration ?? []
  assert.ok(seconds === 0 && nanoseconds !== undefined && Math.abs(nanoseconds - 1_000) < 300, `${nanoseconds}`)
})

test('a span: is CLIENT if this node dialled or asked, ERROR if it failed, and numbered from 1', async () => {
  const request = { 'mesh.peer.id': 'p', 'mesh.request.topic': 'sum', 'mesh.request.bytes': 1 }
  const broken = {
    'mesh.invariant': 'registry-bound',
    'mesh.invariant.owner': 'ledger',
    'mesh.invariant.broken_ms': 0,
    'mesh.invariant.ids': [],
    'mesh.expected': 1,
    'mesh.actual': 2,
  } as const
  const retry = {
    'mesh.seed.address': '/ip4/127.0.0.1/tcp/1',
    'mesh.seed.attempt': 1,
    'mesh.seed.attempts': 10,
    'mesh.seed.elapsed_ms': 1,
    'mesh.seed.addresses': [],
    'mesh.dial.stage': 'dial',
    'error.type': 'ECONNREFUSED',
    'mesh.error.message': 'refused',
    'mesh.seed.delay_ms': 1,
  } as const
  const opened = (direction: 'outbound' | 'inbound') => {
    const info = { direction, address: '/ip4/10.0.0.2/udp/4001/quic-v1', transport: 'quic' } as const
    const link = { id: 'l1', connection: 'c1', info, openedAt: 5_000 } as unknown as Link
    return emitConnectionOpened('p', link, { traceId: 'e'.repeat(32), spanId: 'f'.repeat(16) }, null)
  }
  const cases: readonly (readonly [SpanEffect, SpanKind, SpanStatusCode])[] = [
    [emitSpan('mesh.seed.retry', retry), SpanKind.CLIENT, SpanStatusCode.ERROR],
    [opened('outbound'), SpanKind.CLIENT, SpanStatusCode.UNSET],
    [opened('inbound'), SpanKind.SERVER, SpanStatusCode.UNSET],
    [memberLeft, SpanKind.INTERNAL, SpanStatusCode.UNSET],
    [emitSpan('mesh.leak.suspected', broken), SpanKind.INTERNAL, SpanStatusCode.ERROR],
    [emitSpan('mesh.request.sent', request, { failed: true }), SpanKind.CLIENT, SpanStatusCode.ERROR],
    [emitSpan('mesh.request.handled', request, { failed: false }), SpanKind.SERVER, SpanStatusCode.UNSET],
  ]
  const { telemetry, flush } = start()
  for (const [effect] of cases) telemetry.emit(effect, window)
  const spans = await flush()
  assert.deepEqual(
    spans.map(({ kind, status, attributes }) => [kind, status.code, attributes['mesh.seq']]),
    cases.map(([, kind, status], index) => [kind, status, index + 1]),
  )
  assert.equal(spans[0]?.status.message, 'refused')
  const keys = ['network.peer.address', 'network.peer.port', 'network.transport', 'network.protocol.name']
  const network = keys.map((key) => spans[2]?.attributes[key])
  assert.deepEqual(network, ['10.0.0.2', 4_001, 'udp', 'quic'])
})

test('service.version in the environment: sets the resource, the scope has the version of tracemesh', async (t) => {
  setEnvironment(t, { OTEL_RESOURCE_ATTRIBUTES: 'service.version=app-9' })
  const { telemetry, flush } = start()
  telemetry.emit(memberLeft, window)
  const exporter = new InMemorySpanExporter()
  const processor = new SimpleSpanProcessor({ exporter })
  start({ spanProcessor: processor }).telemetry.emit(memberLeft, window)
  await processor.forceFlush()
  for (const span of [...(await flush()), ...exporter.getFinishedSpans()]) {
    assert.equal(span.resource.attributes['service.version'], 'app-9')
    assert.equal(span.instrumentationScope.version, '1.2.3')
  }
  assert.equal(exporter.getFinishedSpans().length, 1)
})

test('resource and scope: identify the node, the machine by its id only, version and schema', async () => {
  const { telemetry, flush } = start()
  telemetry.emit(memberLeft, window)
  const [span] = await flush()
  const { name, version, schemaUrl } = span?.instrumentationScope ?? {}
  assert.deepEqual([name, version], ['tracemesh', '1.2.3'])
  assert.match(schemaUrl ?? '', /^https:\/\/opentelemetry\.io\/schemas\/1\.\d+\.0$/)
  const { 'service.instance.id': instance, ...rest } = span?.resource.attributes ?? {}
  assert.match(String(instance), /^[0-9a-f-]{36}$/)
  assert.deepEqual(rest, {
    'service.name': 'm',
    'service.namespace': 'tracemesh',
    'service.version': '1.2.3',
    'host.id': machineId(),
    'mesh.id': 'm',
    'mesh.node.name': 'n1',
    'mesh.node.role': 'seed',
    'mesh.node.incarnation': 3,
    'mesh.peer.self': 'peer-1',
    'telemetry.sdk.language': 'nodejs',
    'telemetry.sdk.name': 'opentelemetry',
    'telemetry.sdk.version': rest['telemetry.sdk.version'],
  })
})

test('long texts and lists: are cut to 256 characters and 32 elements', async () => {
  const { telemetry, flush } = start()
  const settings = Array.from({ length: 100 }, () => 'x'.repeat(1_000))
  const identity = { 'mesh.node.role': 'seed', 'mesh.node.incarnation': 1, 'mesh.node.instance': 'i' } as const
  const started = { ...identity, 'mesh.node.name': 'y'.repeat(1_000) }
  telemetry.emit(emitSpan('mesh.node.started', { ...started, 'mesh.node.settings': settings }), window)
  const [span] = await flush()
  const list = span?.attributes['mesh.node.settings'] as string[]
  const name = String(span?.attributes['mesh.node.name'])
  assert.deepEqual([list.length, list[0]?.length, name.length, settings.length], [32, 256, 256, 100])
})

test('a census with every attribute, for the processor of an application: its SDK drops none, above 128', async () => {
  const exporter = new InMemorySpanExporter()
  const processor = new SimpleSpanProcessor({ exporter })
  const [audit] = idleCensus(childOf(window, Math.random), window)
  if (audit !== undefined) start({ spanProcessor: processor }).telemetry.emit(audit, window)
  await processor.forceFlush()
  const [span] = exporter.getFinishedSpans()
  const missing = Object.keys(censusAttributes).filter((name) => span?.attributes[name] === undefined)
  assert.deepEqual([missing, span?.droppedAttributesCount], [[], 0])
})

test('a full outbox of the largest span: costs less than 30 MB of heap', () => {
  const { telemetry } = start()
  const emitCensus = (): void => {
    const [audit] = idleCensus(childOf(window, Math.random), window)
    if (audit !== undefined) telemetry.emit(audit, window)
  }
  for (let i = 0; i < 100; i++) emitCensus()
  const before = heapUsed()
  while (telemetry.stats.lostTotal === 0) emitCensus()
  const { queued } = telemetry.stats
  const grownMb = (heapUsed() - before) / 1e6
  // A census every 30 s: those of two days.
  assert.ok(queued >= 6_000, `${queued} spans queued`)
  assert.ok(grownMb > 1 && grownMb < 30, `${grownMb} MB for ${queued} spans`)
})

test('the delay of a span: at most a second for events, 15 s for routine, or the configured one for both', async () => {
  const run = (options?: Parameters<typeof start>[0]) => {
    const { clock, telemetry } = start(options)
    const exportedAfter = async (ms: number): Promise<number> => {
      clock.advance(ms)
      for (let i = 0; i < 5; i++) await Promise.resolve()
      return telemetry.stats.exported
    }
    return { clock, telemetry, exportedAfter }
  }
  const { telemetry, exportedAfter } = run()
  telemetry.emit(routine, undefined)
  assert.equal(await exportedAfter(14_999), 0)
  assert.equal(await exportedAfter(1), 1)
  telemetry.emit(routine, undefined)
  telemetry.emit(memberLeft, window)
  assert.equal(await exportedAfter(999), 1)
  assert.equal(await exportedAfter(1), 3)
  const configured = run({ limits: { delayMs: 4_000 } })
  configured.telemetry.emit(memberLeft, window)
  configured.telemetry.emit(routine, undefined)
  assert.equal(await configured.exportedAfter(3_999), 0)
  assert.equal(configured.clock.pending, 1)
  assert.equal(await configured.exportedAfter(1), 2)
})

test('the same random seed: yields the same ids', async () => {
  const ids = async (): Promise<string[]> => {
    const { telemetry, flush } = start()
    for (let i = 0; i < 3; i++) telemetry.emit(memberLeft, undefined)
    return (await flush()).map((span) => span.spanContext().traceId)
  }
  assert.deepEqual(await ids(), await ids())
})

test('machine id: is stable, and falls back to the host name', () => {
  assert.equal(machineId(), machineId())
  assert.match(machineId(), /^\S+$/)
  assert.equal(machineId('/nowhere'), hostname())
})
