import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ROOT_CONTEXT, SpanKind, TraceFlags, trace } from '@opentelemetry/api'
import { SamplingDecision } from '@opentelemetry/sdk-trace'
import fc from 'fast-check'
import { registries } from '../catalogue/registries.ts'
import { emitSpan, type SpanEffect } from '../catalogue/span-effect.ts'
import { spans } from '../catalogue/spans.ts'
import { childOf, newTrace, type TraceRef } from '../core/trace.ts'
import { forAll } from '../testing/for-all.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { idleCensus, memberLeft, startMemoryTelemetry as start } from '../testing/otlp/memory-telemetry.ts'
import { seededRandom } from '../testing/random.ts'
import { setEnvironment } from '../testing/surroundings.ts'
import { isRoutine, isSampled, readSampling } from './sampling.ts'

leakCheck()

function sweep(window: TraceRef, random: () => number, expired = 0): SpanEffect[] {
  const ref = childOf(window, random)
  const pruned = {
    'mesh.pruned.count': expired,
    'mesh.pruned.peers': [],
    'mesh.pruned.remaining': 3,
    'mesh.pruned.remaining_band': '1-7',
    'mesh.pruned.suspended': false,
  } as const
  const expiredMember = {
    'mesh.peer.id': 'p',
    'mesh.peer.name': 'n2',
    'mesh.peer.role': 'compute' as const,
    'mesh.peer.incarnation': 1,
    'mesh.member.silence_ms': 31_000,
    'mesh.member.window_ms': 30_000,
  }
  return [
    emitSpan('mesh.staleness.pruned', pruned, { ref, parent: window }),
    ...Array.from({ length: expired }, () => emitSpan('mesh.member.expired', expiredMember, { parent: ref })),
  ]
}

/** The spans of an idle node in `minutes`: members expire in every third minute, and one leaves in each. */
function* minutesOf(minutes: number, random: () => number): Generator<{ effect: SpanEffect; window: TraceRef }> {
  let before: TraceRef | undefined
  for (let minute = 0; minute < minutes; minute++) {
    const window = newTrace(random)
    const links = before === undefined ? [] : [before]
    const attributes = { 'mesh.window.seq': minute + 1, 'mesh.node.uptime_ms': minute * 60_000 }
    const effects = [
      emitSpan('mesh.window', attributes, { ref: window, parent: null, links }),
      ...Array.from({ length: 12 }, (_, index) =>
        sweep(window, random, index === 5 && minute % 3 === 0 ? 2 : 0),
      ).flat(),
      ...[window, before ?? window].flatMap((parent) => idleCensus(childOf(parent, random), parent)),
      memberLeft,
    ]
    before = window
    for (const effect of effects) yield { effect, window }
  }
}

test('any share: rare spans are exported, numbers have no gap, no span lacks its parent, counts add up', (t) => {
  return forAll({ t, numRuns: 25 }, [fc.double({ min: 0, max: 1, noNaN: true }), fc.integer()], async (share, seed) => {
    const { telemetry, flush } = start({ traceRoutine: share })
    const emitted = [...minutesOf(20, seededRandom(seed))]
    for (const { effect, window } of emitted) telemetry.emit(effect, window)
    const exported = await flush()
    const { emitted: environment, queued, lostTotal, sampledOut } = telemetry.stats
    assert.equal(environment, emitted.length)
    assert.equal(environment, telemetry.stats.exported + queued + lostTotal + sampledOut)
    const rare = emitted.filter(({ effect }) => !isRoutine(effect)).map(({ effect }) => effect.span)
    const rareNames = new Set<string>(rare)
    const numbers = exported.map(({ attributes }) => attributes['mesh.seq'])
    assert.deepEqual(
      numbers,
      exported.map((_, index) => index + 1),
    )
    const ids = new Set(exported.map((span) => span.spanContext().spanId))
    for (const { parentSpanContext: parent } of exported) assert.ok(parent === undefined || ids.has(parent.spanId))
    const count = (names: readonly string[], name: string) => names.filter((one) => one === name).length
    const names = exported.map(({ name }) => name)
    for (const name of rareNames)
      if (name !== 'mesh.staleness.pruned') assert.equal(count(names, name), count(rare, name), name)
    assert.ok(count(names, 'mesh.staleness.pruned') >= count(rare, 'mesh.staleness.pruned'))
  })
})

test('a share below 1: a window is exported complete or without routine, a larger share adds windows', async () => {
  const tracesAt = async (traceRoutine: number) => {
    const { telemetry, flush } = start({ traceRoutine })
    for (const { effect, window } of minutesOf(200, seededRandom(7))) telemetry.emit(effect, window)
    const traces = Map.groupBy(await flush(), (span) => span.spanContext().traceId)
    assert.equal(traces.size, 200)
    const completeTraces = [...traces].filter(([, all]) => all.some(({ name }) => name === 'mesh.window'))
    for (const [, all] of completeTraces) {
      const censuses = all.filter(({ name }) => name === 'mesh.audit').length
      assert.ok(all.filter(({ name }) => name === 'mesh.staleness.pruned').length === 12)
      assert.equal(all.filter(({ name }) => name === 'mesh.audit.peers').length, censuses)
    }
    return completeTraces.map(([id]) => id)
  }
  const [tenth, again, half, all, none] = await Promise.all([0.1, 0.1, 0.5, 1, 0].map(tracesAt))
  assert.deepEqual(tenth, again)
  assert.ok(tenth !== undefined && tenth.length > 5 && tenth.length < 40, `${tenth?.length} of 200`)
  assert.ok(tenth.every((id) => half?.includes(id)))
  assert.deepEqual([all?.length, none?.length], [200, 0])
})

test('always_off: makes and exports no span, not even for rare spans', async (t) => {
  for (const sampler of ['always_off', 'parentbased_always_off', ' Always_Off ']) {
    setEnvironment(t, { OTEL_TRACES_SAMPLER: sampler })
    const provider = () => assert.fail('a provider is made')
    const { telemetry, flush } = start({ traceRoutine: 1, provider })
    const window = newTrace(seededRandom(3))
    const ids = telemetry.emit(memberLeft, window)
    assert.deepEqual([ids.traceId, telemetry.window], [window.traceId, window])
    assert.deepEqual(await flush(), [])
    assert.deepEqual(telemetry.stats, { emitted: 1, exported: 0, queued: 0, lostTotal: 0, sampledOut: 1 })
    assert.deepEqual(await telemetry.close(1_000), { lost: 0 })
  }
})

test('always_off: a processor of the application gets no span', (t) => {
  setEnvironment(t, { OTEL_TRACES_SAMPLER: 'always_off' })
  const fail = () => assert.fail('a span')
  const spanProcessor = { onStart: fail, onEnd: fail, forceFlush: async () => {}, shutdown: async () => {} }
  start({ spanProcessor }).telemetry.emit(memberLeft, undefined)
})

test('OTEL_TRACES_SAMPLER: sets the share, MESH_TRACE_ROUTINE overrides it, an invalid value is reported', () => {
  const cases: readonly [Record<string, string>, number | undefined, boolean, number, number][] = [
    [{}, undefined, false, 1, 0],
    [{}, 0.25, false, 0.25, 0],
    [{ OTEL_TRACES_SAMPLER: 'always_on' }, undefined, false, 1, 0],
    [{ OTEL_TRACES_SAMPLER: 'parentbased_always_on' }, 0, false, 0, 0],
    [{ OTEL_TRACES_SAMPLER: 'always_off' }, 1, true, 1, 0],
    [{ OTEL_TRACES_SAMPLER: 'parentbased_always_off' }, undefined, true, 0, 0],
    [{ OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '0.1' }, undefined, false, 0.1, 0],
    [{ OTEL_TRACES_SAMPLER: 'parentbased_traceidratio', OTEL_TRACES_SAMPLER_ARG: '0' }, undefined, false, 0, 0],
    [{ OTEL_TRACES_SAMPLER: 'traceidratio' }, undefined, false, 1, 0],
    [{ OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '2' }, undefined, false, 1, 1],
    [{ OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: 'NaN' }, undefined, false, 1, 1],
    [{ OTEL_TRACES_SAMPLER: 'jaeger_remote' }, undefined, false, 1, 1],
    [{ OTEL_TRACES_SAMPLER: 'constructor' }, 0.5, false, 0.5, 1],
  ]
  for (const [env, routineShare, off, share, warned] of cases) {
    const warnings: string[] = []
    const sampling = readSampling({ routineShare, env, report: (_level, message) => void warnings.push(message) })
    const environment = JSON.stringify(env)
    assert.deepEqual([sampling.isOff, sampling.routineShare, warnings.length], [off, share, warned], environment)
  }
})

test('spans of other instrumentation: are sampled by ratio or parent, as the specification says', () => {
  const decide = (OTEL_TRACES_SAMPLER: string, traceFlags?: number) => {
    const { foreignSampler: others } = readSampling({
      env: { OTEL_TRACES_SAMPLER, OTEL_TRACES_SAMPLER_ARG: '0' },
      report: assert.fail,
    })
    const traceId = 'a'.repeat(32)
    const parent = { traceId, spanId: 'b'.repeat(16), traceFlags: traceFlags ?? 0 }
    const context = traceFlags === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, parent)
    return others.shouldSample(context, traceId, 'GET', SpanKind.SERVER, {}, []).decision
  }
  const [yes, no] = [SamplingDecision.RECORD_AND_SAMPLED, SamplingDecision.NOT_RECORD]
  assert.deepEqual([decide('always_on'), decide('always_off'), decide('traceidratio')], [yes, no, no])
  const { NONE, SAMPLED } = TraceFlags
  assert.deepEqual([decide('parentbased_traceidratio'), decide('parentbased_traceidratio', SAMPLED)], [no, yes])
  assert.deepEqual([decide('parentbased_always_on', NONE), decide('always_on', NONE)], [no, yes])
})

test('share 0 samples no trace id, share 1 every one', () => {
  const [lowest, highest] = ['0'.repeat(31).concat('1'), 'f'.repeat(32)]
  assert.deepEqual([isSampled(highest, 0), isSampled(lowest, 1)], [false, true])
  assert.deepEqual([isSampled(highest, 0.001), isSampled(lowest, 0.999)], [true, false])
})

test('the span catalogue: has a census span for every registry', () => {
  const names = Object.keys(spans).flatMap((name) => name.match(/^mesh\.audit\.(.+)/)?.[1] ?? [])
  assert.deepEqual(names.sort(), [...registries, 'application', 'suspect'].sort())
})
