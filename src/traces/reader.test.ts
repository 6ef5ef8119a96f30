import assert from 'node:assert/strict'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import { isMeshError } from '../core/errors.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { type Query, TraceReader } from './reader.ts'

leakCheck()

const t0 = 1_790_000_000_000
const week = 7 * 86_400_000

/** A store of `size` traces, one span each, a second apart; every tenth span has `late: true`. */
function fakeStore(size: number, { maxTraces = 500, filtersAttributes = false, spelling = 'snake' } = {}) {
  const queries: URLSearchParams[] = []
  const handle = (request: IncomingMessage, response: ServerResponse) => {
    const { searchParams } = new URL(request.url ?? '', 'http://x')
    queries.push(searchParams)
    const get = (snake: string, camel: string) => searchParams.get(`query.${spelling === 'snake' ? snake : camel}`)
    const count = Number(get('num_traces', 'searchDepth'))
    if (!(count > 0 && count <= maxTraces))
      return json(response, 500, { error: { httpCode: 500, message: 'search depth' } })
    const [from, to] = [get('start_time_min', 'startTimeMin'), get('start_time_max', 'startTimeMax')].map((time) =>
      Date.parse(time ?? ''),
    )
    const all = Array.from({ length: size }, (_, index) => ({
      index,
      atMs: t0 + index * 1_000,
      late: index % 10 === 9,
    }))
    const filters = filtersAttributes && searchParams.has('query.attributes')
    const matches = all
      .filter(({ atMs, late }) => atMs >= (from ?? 0) && atMs <= (to ?? 0) && (!filters || late))
      .reverse()
      .slice(0, count)
    if (matches.length === 0) return json(response, 404, { error: { httpCode: 404, message: 'No traces found' } })
    const spans = matches.map(({ index, atMs, late }) => spanJson(index, atMs, late))
    json(response, 200, {
      result: {
        resourceSpans: [{ resource: { attributes: [text('service.name', 'mesh-a')] }, scopeSpans: [{ spans }] }],
      },
    })
  }
  return { queries, handle }
}

const query: Query = { service: 'mesh-a', fromMs: t0, toMs: t0 + week }
const late = { late: true }

test('a store of either parameter spelling: a search returns the newest traces first, and reports more', async (t) => {
  for (const spelling of ['snake', 'camel']) {
    const { handle } = fakeStore(30, { spelling })
    const reader = await readerFor(t, handle)
    const all = await reader.find(query)
    assert.deepEqual([all.traces.length, all.partial], [30, undefined])
    assert.ok((all.traces[0]?.spans[0]?.startMs ?? 0) > (all.traces[1]?.spans[0]?.startMs ?? 0))
    const some = await reader.find({ ...query, limit: 5 })
    assert.deepEqual(
      some.traces.map(({ traceId }) => Number.parseInt(traceId, 16)),
      [30, 29, 28, 27, 26],
    )
    assert.match(some.partial ?? '', /more than 5/)
  }
})

test('a store that ignores attributes: the search filters itself, in ever shorter time ranges', async (t) => {
  const { queries, handle } = fakeStore(3_000, { maxTraces: 100 })
  const reader = await readerFor(t, handle, { countLimit: 100 })
  const { traces, partial } = await reader.find({ ...query, toMs: t0 + 3_000_000, attributes: late, limit: 300 })
  assert.equal(partial, undefined)
  assert.equal(traces.length, 300)
  assert.ok(traces.every(({ spans }) => spans[0]?.attributes['late'] === true))
  assert.ok(queries.length > 30 && queries.length <= 64, `${queries.length} requests`)
})

test('a store that filters by attributes: gets a single request', async (t) => {
  const { queries, handle } = fakeStore(3_000, { filtersAttributes: true })
  const reader = await readerFor(t, handle)
  assert.equal((await reader.find({ ...query, attributes: late, limit: 400 })).traces.length, 300)
  assert.equal(queries.length, 1)
  assert.equal(queries[0]?.get('query.attributes'), '{"late":"true"}')
})

test('a search that cannot be completed: reports the request limit or the crowded millisecond', async (t) => {
  const { queries, handle } = fakeStore(3_000, { maxTraces: 10 })
  const reader = await readerFor(t, handle, { countLimit: 10 })
  const { partial } = await reader.find({ ...query, attributes: { late: 'never' }, limit: 300 })
  assert.match(partial ?? '', /gave up after 64 requests/)
  assert.equal(queries.length, 64)
  const crowd = await readerFor(
    t,
    (_, response) =>
      json(response, 200, {
        result: {
          resourceSpans: [
            { scopeSpans: [{ spans: Array.from({ length: 10 }, (_, index) => spanJson(index, t0, false)) }] },
          ],
        },
      }),
    { countLimit: 10 },
  )
  const crowded = await crowd.find({ ...query, toMs: t0 + 1, attributes: late })
  assert.match(crowded.partial ?? '', /one millisecond/)
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

test('status 404: means no trace in a search with a JSON body, and is an error otherwise', async (t) => {
  const reader = await readerFor(t, (_, response) =>
    json(response, 404, { error: { httpCode: 404, message: 'No traces found' } }),
  )
  assert.equal(await reader.trace('1'.repeat(32)), undefined)
  assert.deepEqual((await reader.find(query)).traces, [])
  for (const request of [reader.services(), reader.operations('x')])
    await assert.rejects(request, (error) => isMeshError(error, 'MESH_TRACES_REFUSED') && error.detail.status === 404)
  const other = await readerFor(t, (_, response) => response.writeHead(404).end('<h1>404 Not Found</h1>'))
  await assert.rejects(other.find(query), (error) => isMeshError(error, 'MESH_TRACES_REFUSED'))
})

const span = spanJson(1, t0, false)
const inResult = (...spans: object[]) => ({ result: { resourceSpans: [{ scopeSpans: [{ spans }] }] } })
const unreadableAnswers: Readonly<Record<string, { body: string; type?: string; reason: RegExp }>> = {
  'an HTML page': { body: '<!doctype html><title>Jaeger UI</title>', type: 'text/html', reason: /web page/ },
  'HTML sent as JSON': { body: '<html>', reason: /not JSON/ },
  'half a response': { body: JSON.stringify(inResult(span)).slice(0, -20), reason: /not JSON/ },
  'an empty response': { body: '', reason: /not JSON/ },
  'another JSON': { body: '[1]', reason: /not an object/ },
  'no result': { body: '{}', reason: /result is missing/ },
  'spans of the wrong type': {
    body: JSON.stringify({ result: { resourceSpans: [{ scopeSpans: [{ spans: 7 }] }] } }),
    reason: /spans is 7, not a list/,
  },
  'an id of the wrong length': {
    body: JSON.stringify(inResult({ ...span, traceId: '12' })),
    reason: /traceId is "12"/,
  },
  'an id that is not hex': { body: JSON.stringify(inResult({ ...span, spanId: 'z'.repeat(16) })), reason: /spanId/ },
  'a time that is not a number': {
    body: JSON.stringify(inResult({ ...span, startTimeUnixNano: 'noon' })),
    reason: /nanoseconds/,
  },
  'a name that is a number': { body: JSON.stringify(inResult({ ...span, name: 5 })), reason: /name is 5/ },
}

test('an unreadable response: the error has the reason', async (t) => {
  for (const [what, { body, type = 'application/json', reason }] of Object.entries(unreadableAnswers)) {
    const reader = await readerFor(t, (_, response) => response.setHeader('content-type', type).end(body))
    await assert.rejects(
      reader.trace('1'.repeat(32)),
      (error) => isMeshError(error, 'MESH_TRACES_UNREADABLE') && reason.test(error.message),
      what,
    )
  }
})

test('a malformed span, link or attribute: is left out alone, and unreadable spans are counted', async (t) => {
  const good = { ...span, spanId: '3'.repeat(16) }
  const odd = [{ ...span, spanId: 'none' }, { ...span, name: 7 }, { ...span, startTimeUnixNano: 'soon' }, 'a text']
  const resource = { attributes: [null, 7, { key: 'k', value: { intValue: 'x' } }] }
  const scope = { name: 7 }
  const spans = [...odd, { ...good, attributes: [null], links: {} }]
  const answer = { result: { resourceSpans: [null, { resource, scopeSpans: [{ scope, spans }] }] } }
  const reader = await readerFor(t, (_, response) => json(response, 200, answer))
  const trace = await reader.trace('1'.repeat(32))
  assert.deepEqual(
    trace?.spans.map(({ spanId }) => spanId),
    [good.spanId],
  )
  assert.equal(trace?.unreadable, odd.length + 1)
})

test('base64 ids, numeric times, nulls, a malformed parent and a link without ids: the span is read', async (t) => {
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
  const reader = await readerFor(t, (_, response) => json(response, 200, inResult(odd)))
  const [readSpan] = (await reader.trace('1'.repeat(32)))?.spans ?? []
  assert.deepEqual(
    [readSpan?.traceId, readSpan?.spanId, readSpan?.parentSpanId, readSpan?.startMs, readSpan?.kind, readSpan?.status],
    ['1'.repeat(32), '2'.repeat(16), '', 1_790_000_000_000, 'client', 'ok'],
  )
  assert.deepEqual(Object.values(readSpan?.attributes ?? {}).slice(-1), ['9007199254740993'])
  assert.deepEqual(readSpan?.links, [{ traceId: '4'.repeat(32), spanId: '5'.repeat(16) }])
})

test('a search by kind, status, scope or resource: returns the matching spans', async (t) => {
  const client = { ...span, kind: 3, status: { code: 2 } }
  const answer = {
    result: {
      resourceSpans: [
        {
          resource: { attributes: [text('service.name', 'mesh-a'), text('zone', 'eu')] },
          scopeSpans: [{ scope: { name: 'lib' }, spans: [client] }],
        },
      ],
    },
  }
  const reader = await readerFor(t, (_, response) => json(response, 200, answer))
  const countMatches = async (attributes: Query['attributes'] = {}) =>
    (await reader.find({ ...query, fromMs: 0, attributes })).traces.length
  assert.equal(
    await countMatches({ 'span.kind': 'Client', 'span.status': 'error', 'scope.name': 'lib', 'resource.zone': 'eu' }),
    1,
  )
  assert.equal(await countMatches({ 'span.kind': 'server' }), 0)
  assert.equal(await countMatches({ 'span.status': 'ok' }), 0)
  assert.equal(await countMatches({ 'scope.name': 'tracemesh' }), 0)
})

test('errors of the store: a refusal has status and reason, a timeout and a closed port are unreachable', async (t) => {
  const failing = await readerFor(t, (_, response) =>
    json(response, 500, { error: { httpCode: 500, message: 'it broke' } }),
  )
  await assert.rejects(failing.services(), { code: 'MESH_TRACES_REFUSED', message: /answered 500: it broke/ })
  const busy = await readerFor(t, (_, response) => response.writeHead(503).end('try again'))
  await assert.rejects(busy.find(query), { code: 'MESH_TRACES_REFUSED', message: /503: try again/ })
  const slow = await readerFor(t, (_, response) => response.write('{'), { timeoutMs: 100 })
  await assert.rejects(slow.services(), { code: 'MESH_TRACES_UNREACHABLE', message: /within 100 ms/ })
  await assert.rejects(new TraceReader('http://127.0.0.1:1').services(), { code: 'MESH_TRACES_UNREACHABLE' })
})

test('attribute keys: `__proto__` is read, the warnings of Jaeger are not', async (t) => {
  const attributes = [text('__proto__', 'x'), text('@jaeger@warnings', 'y')]
  const reader = await readerFor(t, (_, response) => json(response, 200, inResult({ ...span, attributes })))
  const [readSpan] = (await reader.trace('1'.repeat(32)))?.spans ?? []
  assert.deepEqual(Object.entries(readSpan?.attributes ?? {}), [['__proto__', 'x']])
})

test('spans of the previous version: their attributes get the current names and units', async (t) => {
  const attributes = [
    text('error.message', 'refused'),
    { key: 'process.memory.rss_mb', value: { intValue: '90' } },
    { key: 'process.loop.delay_p99_ms', value: { doubleValue: 1.5 } },
  ]
  const reader = await readerFor(t, (_, response) => json(response, 200, inResult({ ...span, attributes })))
  const [readSpan] = (await reader.trace('1'.repeat(32)))?.spans ?? []
  assert.deepEqual(Object.entries(readSpan?.attributes ?? {}), [
    ['mesh.error.message', 'refused'],
    ['process.memory.usage', 94_371_840],
    ['nodejs.eventloop.delay.p99', 0.0015],
  ])
})

async function readerFor(
  t: TestContext,
  handle: (request: IncomingMessage, response: ServerResponse) => unknown,
  options = {},
) {
  const server = createServer(handle).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return new TraceReader(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`, options)
}

function json(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
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
