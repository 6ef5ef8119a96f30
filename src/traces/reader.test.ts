import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { isMeshError } from '../core/errors.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { type Query, type ReaderOptions, TraceReader } from './reader.ts'
import type { TraceSpan } from './trace.ts'

leakCheck()

const t0 = 1_790_000_000_000
const week = 7 * 86_400_000

/** A store of `size` traces, one span each, a second apart; every tenth span has `late: true`. */
function fakeStore(size: number, { maxTraces = 500, filtersAttributes = false, spelling = 'snake' } = {}) {
  const queries: URLSearchParams[] = []
  const respond = ({ searchParams }: URL): Response => {
    queries.push(searchParams)
    const get = (snake: string, camel: string) => searchParams.get(`query.${spelling === 'snake' ? snake : camel}`)
    const count = Number(get('num_traces', 'searchDepth'))
    if (!(count > 0 && count <= maxTraces)) return jaegerError(500, 'search depth')
    const from = Date.parse(get('start_time_min', 'startTimeMin') ?? '')
    const to = Date.parse(get('start_time_max', 'startTimeMax') ?? '')
    const filters = filtersAttributes && searchParams.has('query.attributes')
    const matches = Array.from({ length: size }, (_, index) => ({
      index,
      atMs: t0 + index * 1_000,
      late: index % 10 === 9,
    }))
      .filter(({ atMs, late }) => atMs >= from && atMs <= to && (!filters || late))
      .reverse()
      .slice(0, count)
    if (matches.length === 0) return jaegerError(404, 'No traces found')
    return Response.json(inResult(...matches.map(({ index, atMs, late }) => spanJson(index, atMs, late))))
  }
  return { queries, respond }
}

const query: Query = { service: 'mesh-a', fromMs: t0, toMs: t0 + week }
const late = { late: true }

test('a store of either parameter spelling: a search returns the newest traces first, and reports more', async () => {
  for (const spelling of ['snake', 'camel']) {
    const { respond } = fakeStore(30, { spelling })
    const reader = readerFor(respond)
    const all = await reader.find(query)
    assert.deepEqual([all.traces.length, all.partial], [30, undefined])
    assert.ok((all.traces[0]?.spans[0]?.startMs ?? 0) > (all.traces[1]?.spans[0]?.startMs ?? 0))
    const some = await reader.find({ ...query, limit: 5 })
    const numbers = some.traces.map(({ traceId }) => Number.parseInt(traceId, 16))
    assert.deepEqual(numbers, [30, 29, 28, 27, 26])
    assert.match(some.partial ?? '', /more than 5/)
  }
})

test('a store that ignores attributes: the search filters itself, in ever shorter time ranges', async () => {
  const { queries, respond } = fakeStore(3_000, { maxTraces: 100 })
  const reader = readerFor(respond, { countLimit: 100 })
  const { traces, partial } = await reader.find({ ...query, toMs: t0 + 3_000_000, attributes: late, limit: 300 })
  assert.deepEqual([partial, traces.length], [undefined, 300])
  assert.ok(traces.every(({ spans }) => spans[0]?.attributes['late'] === true))
  assert.ok(queries.length > 30 && queries.length <= 64, `${queries.length} requests`)
})

test('a store that filters by attributes: gets a single request', async () => {
  const { queries, respond } = fakeStore(3_000, { filtersAttributes: true })
  const reader = readerFor(respond)
  const hour = { ...query, toMs: t0 + 3_600_000 }
  assert.equal((await reader.find({ ...hour, attributes: late, limit: 400 })).traces.length, 300)
  assert.equal(queries.length, 1)
  assert.equal(queries[0]?.get('query.attributes'), '{"late":"true"}')
})

test('a search of a long time: asks for its newest part first, and for the rest if that has too few', async () => {
  const { queries, respond } = fakeStore(30_000)
  const reader = readerFor(respond)
  const range = { ...query, toMs: t0 + 30_000_000 }
  const some = await reader.find({ ...range, limit: 100 })
  assert.deepEqual([some.traces.length, queries.length], [100, 1])
  const sparse = await reader.find({ ...range, fromMs: t0 - week, toMs: t0 + 99_000 })
  assert.deepEqual([sparse.traces.length, sparse.partial, queries.length], [100, undefined, 3])
})

test('a search that cannot be completed: reports the request limit or the crowded millisecond', async () => {
  const { queries, respond } = fakeStore(3_000, { maxTraces: 10 })
  const reader = readerFor(respond, { countLimit: 10 })
  const { partial } = await reader.find({ ...query, attributes: { late: 'never' }, limit: 300 })
  assert.match(partial ?? '', /gave up after 64 requests/)
  assert.equal(queries.length, 64)
  const spans = Array.from({ length: 10 }, (_, index) => spanJson(index, t0, false))
  const crowd = readerFor(() => Response.json(inResult(...spans)), { countLimit: 10 })
  const crowded = await crowd.find({ ...query, toMs: t0 + 1, attributes: late })
  assert.match(crowded.partial ?? '', /one millisecond/)
})

test('a search that takes too long: begins no further request, and says so', async () => {
  const { queries, respond } = fakeStore(3_000, { maxTraces: 10 })
  const reader = readerFor(respond, { countLimit: 10, searchMs: 0 })
  const { partial } = await reader.find({ ...query, attributes: { late: 'never' } })
  assert.deepEqual([partial, queries.length], ['gave up after 0 s; use a shorter time range', 0])
})

test('a query with an invalid time range or limit: is refused', async () => {
  const reader = new TraceReader('http://127.0.0.1:1')
  for (const wrong of [
    { fromMs: Number.NEGATIVE_INFINITY },
    { toMs: Number.NaN },
    { fromMs: t0, toMs: t0 - 1 },
    { limit: 0 },
    { limit: 1.5 },
  ])
    await assert.rejects(reader.find({ ...query, ...wrong }), RangeError)
})

test('status 404: means no trace in a search with a JSON body, and is an error otherwise', async () => {
  const reader = readerFor(() => jaegerError(404, 'No traces found'))
  assert.equal(await reader.trace('1'.repeat(32)), undefined)
  assert.deepEqual((await reader.find(query)).traces, [])
  for (const request of [reader.services(), reader.operations('x')])
    await assert.rejects(request, (error) => isMeshError(error, 'MESH_TRACES_REFUSED') && error.detail.status === 404)
  const other = readerFor(() => new Response('<h1>404 Not Found</h1>', { status: 404 }))
  await assert.rejects(other.find(query), (error) => isMeshError(error, 'MESH_TRACES_REFUSED'))
})

const span = spanJson(1, t0, false)
const unreadableAnswers: Readonly<Record<string, { body: unknown; type?: string; reason: RegExp }>> = {
  'an HTML page': { body: '<!doctype html><title>Jaeger UI</title>', type: 'text/html', reason: /web page/ },
  'HTML sent as JSON': { body: '<html>', reason: /not JSON/ },
  'half a response': { body: JSON.stringify(inResult(span)).slice(0, -20), reason: /not JSON/ },
  'an empty response': { body: '', reason: /not JSON/ },
  'another JSON': { body: '[1]', reason: /not an object/ },
  'no result': { body: '{}', reason: /result is missing/ },
  'spans of the wrong type': {
    body: { result: { resourceSpans: [{ scopeSpans: [{ spans: 7 }] }] } },
    reason: /spans is 7, not a list/,
  },
  'an id of the wrong length': { body: inResult({ ...span, traceId: '12' }), reason: /traceId is "12"/ },
  'an id that is not hex': { body: inResult({ ...span, spanId: 'z'.repeat(16) }), reason: /spanId/ },
  'a time that is not a number': { body: inResult({ ...span, startTimeUnixNano: 'noon' }), reason: /nanoseconds/ },
  'a name that is a number': { body: inResult({ ...span, name: 5 }), reason: /name is 5/ },
}

test('an unreadable response: the error has the reason', async () => {
  for (const [what, { body, type = 'application/json', reason }] of Object.entries(unreadableAnswers)) {
    const text = typeof body === 'string' ? body : JSON.stringify(body)
    const reader = readerFor(() => new Response(text, { headers: { 'content-type': type } }))
    await assert.rejects(
      reader.trace('1'.repeat(32)),
      (error) => isMeshError(error, 'MESH_TRACES_UNREADABLE') && reason.test(error.message),
      what,
    )
  }
})

test('a malformed span, link or attribute: is left out alone, and unreadable spans are counted', async () => {
  const good = { ...span, spanId: '3'.repeat(16) }
  const odd = [{ ...span, spanId: 'none' }, { ...span, name: 7 }, { ...span, startTimeUnixNano: 'soon' }, 'a text']
  const resource = { attributes: [null, 7, { key: 'k', value: { intValue: 'x' } }] }
  const scope = { name: 7 }
  const spans = [...odd, { ...good, attributes: [null], links: {} }]
  const answer = { result: { resourceSpans: [null, { resource, scopeSpans: [{ scope, spans }] }] } }
  const trace = await readerFor(() => Response.json(answer)).trace('1'.repeat(32))
  const ids = trace?.spans.map(({ spanId }) => spanId)
  assert.deepEqual([ids, trace?.unreadable], [[good.spanId], odd.length + 1])
})

test('base64 ids, numeric times, nulls, a malformed parent and a link without ids: the span is read', async () => {
  const base64 = (hex: string) => Buffer.from(hex, 'hex').toString('base64')
  const link = { traceId: base64('4'.repeat(32)), spanId: base64('5'.repeat(16)) }
  const odd = {
    ...span,
    traceId: base64('1'.repeat(32)),
    spanId: base64('2'.repeat(16)),
    parentSpanId: 'abc',
    startTimeUnixNano: 1_790_000_000_000_000_000,
    endTimeUnixNano: null,
    kind: 'SPAN_KIND_CLIENT',
    status: { code: 'STATUS_CODE_OK' },
    attributes: [
      { key: 'none', value: null },
      { key: 'null', value: { stringValue: null } },
      { key: 'big', value: { intValue: '9007199254740993' } },
    ],
    links: [link, { traceId: link.traceId, spanId: '' }, {}, null],
  }
  const readSpan = await read(odd)
  assert.ok(readSpan)
  const { traceId, spanId, parentSpanId, startMs, kind, status, attributes, links } = readSpan
  assert.deepEqual([traceId, spanId, parentSpanId], ['1'.repeat(32), '2'.repeat(16), ''])
  assert.deepEqual([startMs, kind, status], [1_790_000_000_000, 'client', 'ok'])
  assert.deepEqual(Object.values(attributes).slice(-1), ['9007199254740993'])
  assert.deepEqual(links, [{ traceId: '4'.repeat(32), spanId: '5'.repeat(16) }])
})

test('a search by kind, status, scope or resource: returns the matching spans', async () => {
  const client = { ...span, kind: 3, status: { code: 2 } }
  const resource = { attributes: [text('service.name', 'mesh-a'), text('zone', 'eu')] }
  const answer = {
    result: { resourceSpans: [{ resource, scopeSpans: [{ scope: { name: 'lib' }, spans: [client] }] }] },
  }
  const reader = readerFor(() => Response.json(answer))
  const all = { 'span.kind': 'Client', 'span.status': 'error', 'scope.name': 'lib', 'resource.zone': 'eu' }
  const others = [{ 'span.kind': 'server' }, { 'span.status': 'ok' }, { 'scope.name': 'tracemesh' }]
  for (const attributes of [all, ...others]) {
    const { traces } = await reader.find({ ...query, fromMs: 0, attributes })
    assert.equal(traces.length, attributes === all ? 1 : 0, JSON.stringify(attributes))
  }
})

test('errors of the store: a refusal has status and reason, a timeout and a closed port are unreachable', async (t) => {
  const failing = readerFor(() => jaegerError(500, 'it broke'))
  await assert.rejects(failing.services(), { code: 'MESH_TRACES_REFUSED', message: /answered 500: it broke/ })
  const busy = readerFor(() => new Response('try again', { status: 503 }))
  await assert.rejects(busy.find(query), { code: 'MESH_TRACES_REFUSED', message: /503: try again/ })
  const server = createServer((_, response) => response.write('{')).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close().closeAllConnections())
  const slow = new TraceReader(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`, { timeoutMs: 100 })
  await assert.rejects(slow.services(), { code: 'MESH_TRACES_UNREACHABLE', message: /within 100 ms/ })
  await assert.rejects(new TraceReader('http://127.0.0.1:1').services(), { code: 'MESH_TRACES_UNREACHABLE' })
})

test('attribute keys: `__proto__` is read, the warnings of Jaeger are not', async () => {
  const attributes = [text('__proto__', 'x'), text('@jaeger@warnings', 'y')]
  const readSpan = await read({ ...span, attributes })
  assert.deepEqual(Object.entries(readSpan?.attributes ?? {}), [['__proto__', 'x']])
})

test('spans of the previous version: their attributes get the current names and units', async () => {
  const attributes = [
    text('error.message', 'refused'),
    { key: 'process.memory.rss_mb', value: { intValue: '90' } },
    { key: 'process.loop.delay_p99_ms', value: { doubleValue: 1.5 } },
  ]
  const readSpan = await read({ ...span, attributes })
  assert.deepEqual(Object.entries(readSpan?.attributes ?? {}), [
    ['mesh.error.message', 'refused'],
    ['process.memory.usage', 94_371_840],
    ['nodejs.eventloop.delay.p99', 0.0015],
  ])
})

/** A reader of a server that answers `/api/v3` with these responses, and has no other API. */
function readerFor(respond: (url: URL) => Response, options: ReaderOptions = {}): TraceReader {
  const serve = (url: URL) => (url.pathname.startsWith('/api/v3/') ? respond(url) : jaegerError(404, 'no route'))
  return new TraceReader('http://store', { fetch: async (url) => serve(new URL(String(url))), ...options })
}

async function read(oneSpan: object): Promise<TraceSpan | undefined> {
  const trace = await readerFor(() => Response.json(inResult(oneSpan))).trace('1'.repeat(32))
  return trace?.spans[0]
}

function jaegerError(status: number, message: string): Response {
  return Response.json({ error: { httpCode: status, message } }, { status })
}

/** An answer with one service. */
function inResult(...spans: object[]) {
  const resource = { attributes: [text('service.name', 'mesh-a')] }
  return { result: { resourceSpans: [{ resource, scopeSpans: [{ spans }] }] } }
}

function spanJson(index: number, atMs: number, isLate: boolean) {
  const start = String(BigInt(atMs) * 1_000_000n)
  return {
    traceId: (index + 1).toString(16).padStart(32, '0'),
    spanId: (index + 1).toString(16).padStart(16, '0'),
    name: 'a',
    startTimeUnixNano: start,
    endTimeUnixNano: start,
    attributes: [{ key: 'late', value: { boolValue: isLate } }],
  }
}

function text(key: string, stringValue: string) {
  return { key, value: { stringValue } }
}
