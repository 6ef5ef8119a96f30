import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isMeshError } from '../../core/errors.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import type { TraceSpan } from '../../traces/trace.ts'
import { EvidenceFold } from '../evidence/fold.ts'
import { sampledParts } from './sample-plan.ts'
import { readAround, readTraceStore, type StoreReadOptions } from './trace-store.ts'

leakCheck()

const minuteMs = 60_000
const beginMs = Date.UTC(2026, 10, 30, 12)

interface StoredSpan {
  readonly trace: number
  readonly name: string
  readonly atMs: number
  readonly mesh?: string
}

/** A store as Jaeger is: it returns whole traces, the newest first, and as many as asked for. */
class FakeStore {
  readonly #spans: readonly StoredSpan[]
  readonly searches: { readonly service: string | null; readonly span: string | null; readonly fromMs: number }[] = []
  /** Answers of searches from that many on are 503. */
  failsFrom = Number.POSITIVE_INFINITY

  constructor(spans: readonly StoredSpan[]) {
    this.#spans = spans
  }

  readonly fetch = (async (input: string) => {
    const url = new URL(input)
    if (url.pathname.endsWith('/services')) return json({ services: ['jaeger', ...new Set(this.#spans.map(meshOf))] })
    if (url.pathname.endsWith('/operations'))
      return json({ operations: this.#namesOf(url.searchParams.get('service')).map((name) => ({ name })) })
    const get = (key: string) => url.searchParams.get(`query.${key}`)
    const [fromMs, toMs] = [Date.parse(get('startTimeMin') ?? ''), Date.parse(get('startTimeMax') ?? '')]
    this.searches.push({ service: get('serviceName'), span: get('operationName'), fromMs })
    if (this.searches.length > this.failsFrom) return json({ error: { message: 'overloaded' } }, 503)
    const matching = this.#spans.filter(
      (span) =>
        meshOf(span) === get('serviceName') &&
        span.atMs >= fromMs &&
        span.atMs <= toMs &&
        [span.name, null].includes(get('operationName')),
    )
    const newest = matching.toSorted((a, b) => b.atMs - a.atMs).map(({ trace }) => trace)
    const traces = [...new Set(newest)].slice(0, Number(get('searchDepth')))
    return json(answerOf(this.#spans.filter(({ trace }) => traces.includes(trace))))
  }) as unknown as typeof fetch

  #namesOf(service: string | null): string[] {
    return [...new Set(this.#spans.filter((span) => meshOf(span) === service).map(({ name }) => name))]
  }
}

function meshOf({ mesh = 'mesh-a' }: StoredSpan): string {
  return mesh
}

function json(body: object, status = 200): Response {
  return new Response(JSON.stringify(body), { status, headers: { 'content-type': 'application/json' } })
}

function answerOf(spans: readonly StoredSpan[]): object {
  const text = (key: string, stringValue: string) => ({ key, value: { stringValue } })
  const resourceSpans = spans.map((span) => ({
    resource: {
      attributes: [
        text('service.name', meshOf(span)),
        text('service.instance.id', meshOf(span)),
        text('mesh.node.name', 'n'),
      ],
    },
    scopeSpans: [
      {
        spans: [
          {
            traceId: String(span.trace).padStart(32, '0'),
            spanId: String(span.atMs).padStart(16, '0'),
            name: span.name,
            startTimeUnixNano: `${span.atMs}000000`,
            endTimeUnixNano: `${span.atMs}000000`,
            attributes: [{ key: 'mesh.seq', value: { intValue: String(1 + (span.atMs - beginMs) / 1_000) } }],
          },
        ],
      },
    ],
  }))
  return { result: { resourceSpans } }
}

/** A census every 30 s, those of a minute in one trace, and now and then a retry. */
function minutesOf(count: number, mesh = 'mesh-a', base = 1): StoredSpan[] {
  return Array.from({ length: count }, (_, minute): StoredSpan[] => {
    const atMs = beginMs + minute * minuteMs
    const trace = base + minute
    return [
      { trace, name: 'mesh.audit', atMs: atMs + 10_000, mesh },
      { trace, name: 'mesh.staleness.pruned', atMs: atMs + 20_000, mesh },
      { trace, name: 'mesh.audit', atMs: atMs + 40_000, mesh },
      ...(minute % 100 === 7 ? [{ trace: 1e6 + trace, name: 'mesh.seed.retry', atMs: atMs + 50_000, mesh }] : []),
    ]
  }).flat()
}

async function readingOf(store: FakeStore, minutes: number, more: Partial<StoreReadOptions> = {}) {
  const spans: TraceSpan[] = []
  const { signal } = new AbortController()
  const reading = await readTraceStore({
    url: 'http://store',
    fetch: store.fetch,
    period: { fromMs: beginMs, toMs: beginMs + minutes * minuteMs },
    add: (span) => spans.push(span),
    progress: () => {},
    signal,
    ...more,
  })
  return { ...reading, spans }
}

test('a short period: every span once, whatever slices its trace is in', async () => {
  const stored = [...minutesOf(10), ...minutesOf(10, 'mesh-b', 5_000), ...across]
  const { spans, complete, partial, bytes, requests } = await readingOf(new FakeStore(stored), 10)
  assert.equal(spans.length, stored.length)
  assert.equal(new Set(spans.map(({ service, startMs }) => `${service} ${startMs}`)).size, stored.length)
  assert.deepEqual([complete, partial], [true, []])
  assert.ok(bytes > 1_000 && requests >= 21)
})

/** A trace over two meshes and nine minutes. */
const across: StoredSpan[] = [1, 4, 9].map((minute) => ({
  trace: 7_777,
  name: 'mesh.message.received',
  atMs: beginMs + minute * minuteMs + 1_000,
  mesh: minute === 4 ? 'mesh-b' : 'mesh-a',
}))

test('more traces in a minute than one answer may have: all of them', async () => {
  const many = Array.from({ length: 450 }, (_, trace) => ({
    trace: trace + 1,
    name: 'mesh.audit',
    atMs: beginMs + trace * 100,
  }))
  assert.equal((await readingOf(new FakeStore(many), 1)).spans.length, 450)
})

test('one mesh of two: its spans alone', async () => {
  const stored = [...minutesOf(3), ...minutesOf(3, 'mesh-b', 5_000)]
  const { spans } = await readingOf(new FakeStore(stored), 3, { mesh: 'mesh-b' })
  assert.deepEqual([...new Set(spans.map(({ service }) => service))], ['mesh-b'])
})

test('a store that other software uses: only the names of its spans are read, of a short and of a long period', async () => {
  const shop = Array.from({ length: 300 }, (_, index) => ({
    trace: 50_000 + index,
    name: 'GET /orders',
    atMs: beginMs + 10_000 * index,
    mesh: 'shop',
  }))
  for (const minutes of [5, 50]) {
    const store = new FakeStore([...minutesOf(minutes), ...shop])
    const { spans, meshes, partial } = await readingOf(store, minutes)
    assert.deepEqual([...new Set(store.searches.map(({ service }) => service))], ['mesh-a'])
    assert.ok(spans.length > 0)
    assert.deepEqual([meshes, partial], [['mesh-a'], []])
  }
  await assert.rejects(readingOf(new FakeStore(shop), 5), /its services are jaeger, shop/)
})

test('a short period of more bytes than are read: its latest part, and a word', async () => {
  const { spans, partial, complete } = await readingOf(new FakeStore(minutesOf(10)), 10, { maxBytes: 2_500 })
  assert.equal(complete, false)
  assert.ok(spans.length > 0 && spans.length < 30, `${spans.length} spans`)
  assert.ok(spans.every(({ startMs }) => startMs >= beginMs + 5 * minuteMs))
  assert.match(
    partial.join(),
    /mesh-a: stopped before 2026-11-30T12:0\d, after 0 MB; give a shorter period, or one --mesh/,
  )
})

test('a day: its ends, one minute per hour and all rare spans, from a fraction of the traces', async () => {
  const store = new FakeStore(minutesOf(24 * 60))
  const { spans, complete, partial } = await readingOf(store, 24 * 60)
  const minutes = [...new Set(spans.map(({ startMs }) => Math.floor((startMs - beginMs) / minuteMs)))].sort(
    (a, b) => a - b,
  )
  assert.deepEqual([complete, partial], [false, []])
  assert.deepEqual(
    [minutes.slice(0, 2), minutes.slice(-3)],
    [
      [0, 1],
      [1_437, 1_438, 1_439],
    ],
  )
  assert.equal(spans.filter(({ name }) => name === 'mesh.seed.retry').length, 15)
  assert.ok(spans.length < 200, `${spans.length} spans`)
  assert.ok(!store.searches.some(({ span }) => span === 'mesh.audit' || span === 'mesh.staleness.pruned'))
})

test('the same spans, read whole or as samples: the ends of a series agree', async () => {
  const evidenceOf = async (minutes: number, limit: number) => {
    const fold = new EvidenceFold()
    const store = new FakeStore(minutesOf(minutes))
    await readingOf(store, limit, { add: (span) => fold.add(span) })
    return fold.evidence({ complete: true, partial: [] }).instances[0]?.series('mesh.seq')
  }
  const [whole, sampled] = [await evidenceOf(15, 16), await evidenceOf(15, 17)]
  assert.deepEqual([sampled?.first, sampled?.last, sampled?.max], [whole?.first, whole?.last, whole?.max])
})

test('very many spans of a rare name: the latest and the earliest', async () => {
  const retries = Array.from({ length: 3_000 }, (_, index) => ({
    trace: 10_000 + index,
    name: 'mesh.seed.retry',
    atMs: beginMs + index * 20_000,
  }))
  const { spans } = await readingOf(new FakeStore([...minutesOf(1_000), ...retries]), 1_000)
  const read = spans.filter(({ name }) => name === 'mesh.seed.retry').map(({ startMs }) => startMs)
  assert.equal(Math.min(...read), beginMs)
  assert.ok(read.includes(beginMs + 2_999 * 20_000))
  assert.ok(read.length < 600, `${read.length} of 3000`)
})

test('a store that stops answering: what was read, and words for the rest', async () => {
  const store = new FakeStore(minutesOf(10))
  store.failsFrom = 4
  const { spans, complete, partial } = await readingOf(store, 10)
  assert.equal(complete, false)
  assert.ok(spans.length >= 10 && spans.length < 30)
  assert.match(partial.join('\n'), /mesh-a, 2026-11-30T12:05: http:\/\/store\S+ answered 503: overloaded/)
  assert.match(partial.at(-1) ?? '', /stopped answering/)
})

test('a store that is gone, or has no span of a mesh: an error that names it', async () => {
  const gone = { fetch: (() => Promise.reject(new Error('refused'))) as unknown as typeof fetch }
  await assert.rejects(readingOf(new FakeStore([]), 1, gone), (error) => isMeshError(error, 'MESH_TRACES_UNREACHABLE'))
  await assert.rejects(readingOf(new FakeStore([]), 1), /no span of a mesh in http:\/\/store .*; widen|start nodes/)
  const late = { period: { fromMs: beginMs + 1e9, toMs: beginMs + 1e9 + 1_000 } }
  await assert.rejects(readingOf(new FakeStore(minutesOf(2)), 1, late), /its services are jaeger, mesh-a/)
})

test('an abort: its reason', async () => {
  const aborting = new AbortController()
  const add = () => aborting.abort(new Error('SIGINT'))
  await assert.rejects(readingOf(new FakeStore(minutesOf(5)), 5, { add, signal: aborting.signal }), /SIGINT/)
})

test('around a moment of a long period: minutes on both sides', async () => {
  const store = new FakeStore(minutesOf(24 * 60))
  const spans: TraceSpan[] = []
  const period = { fromMs: beginMs, toMs: beginMs + 24 * 60 * minuteMs }
  const { signal } = new AbortController()
  const options = {
    url: 'http://store',
    fetch: store.fetch,
    period,
    add: (span: TraceSpan) => spans.push(span),
    progress: () => {},
    signal,
  }
  await readAround(options, 'mesh-a', beginMs + 600 * minuteMs)
  const minutes = spans.map(({ startMs }) => Math.floor((startMs - beginMs) / minuteMs))
  assert.ok(minutes.some((one) => one < 600) && minutes.some((one) => one > 600))
})

test('around a moment, from a store that fails since: no error, but words', async () => {
  const store = new FakeStore(minutesOf(24 * 60))
  store.failsFrom = 0
  const period = { fromMs: beginMs, toMs: beginMs + 24 * 60 * minuteMs }
  const { signal } = new AbortController()
  const options = { url: 'http://store', fetch: store.fetch, period, add: () => {}, progress: () => {}, signal }
  const { partial } = await readAround(options, 'mesh-a', beginMs + 600 * minuteMs)
  assert.match(partial[0] ?? '', /mesh-a, \S+: http:\/\/store\S+ answered 503/)
})

test('sampledParts: the ends, never more than about thirty parts, none beyond the period', () => {
  for (const minutes of [16, 60, 600, 1_440, 14_400]) {
    const period = { fromMs: 0, toMs: minutes * minuteMs }
    const parts = sampledParts(period)
    assert.deepEqual([parts[0]?.fromMs, parts.at(-1)?.toMs], [0, period.toMs])
    assert.ok(parts.every(({ fromMs, toMs }) => fromMs < toMs && toMs <= period.toMs))
    assert.ok(parts.length <= Math.max(26, minutes / 60 + 2), `${minutes}: ${parts.length}`)
  }
})
