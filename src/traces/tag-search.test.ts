import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { TraceReader } from './reader.ts'
import { tagSets } from './tag-search.ts'
import type { TraceSpan } from './trace.ts'

leakCheck()

const t0 = 1_790_000_000_000
const query = { service: 'mesh-a', fromMs: t0, toMs: t0 + 60_000 }

/** A span as `/api/traces` of Jaeger 2.13 returns it. */
const jaegerSpan = {
  traceID: '12345678901234567',
  spanID: 'ab00000000000001',
  operationName: 'mesh.seed.giveup',
  references: [
    { refType: 'CHILD_OF', traceID: '12345678901234567', spanID: 'ab00000000000002' },
    { refType: 'FOLLOWS_FROM', traceID: '4'.repeat(32), spanID: '5'.repeat(16) },
  ],
  startTime: t0 * 1_000 + 7,
  duration: 1_500,
  processID: 'p1',
  tags: [
    { key: 'span.kind', type: 'string', value: 'client' },
    { key: 'error', type: 'bool', value: true },
    { key: 'otel.scope.name', type: 'string', value: 'tracemesh' },
    { key: 'mesh.seed.attempt', type: 'int64', value: 9 },
    { key: 'share', type: 'float64', value: 0.5 },
    { key: 'why', type: 'string', value: 'no (such) file' },
    { key: 'error.message', type: 'string', value: 'refused' },
  ],
}
const processes = {
  p1: { serviceName: 'mesh-a', tags: [{ key: 'mesh.node.name', type: 'string', value: 'node-1' }] },
}
const found = { data: [{ traceID: jaegerSpan.traceID, spans: [jaegerSpan], processes }] }

/** A reader of a server with these responses, by path, and its requests so far. */
function readerOf(routes: Readonly<Record<string, (parameters: URLSearchParams) => Response>>) {
  const requests: URL[] = []
  const fetch = async (input: URL | Request | string): Promise<Response> => {
    const url = new URL(String(input))
    requests.push(url)
    return routes[url.pathname]?.(url.searchParams) ?? Response.json({ error: 'no route' }, { status: 404 })
  }
  return { reader: new TraceReader('http://jaeger', { fetch }), requests }
}

test('a search by attributes of a server with /api/traces: one request there, and the span as from /api/v3', async () => {
  const { reader, requests } = readerOf({ '/api/traces': () => Response.json(found) })
  const attributes = { 'mesh.seed.attempt': 9, 'mesh.node.name': 'node-1' }
  const { traces, partial } = await reader.find({ ...query, span: 'mesh.seed.giveup', attributes })
  assert.deepEqual([traces.length, partial, requests.length], [1, undefined, 1])
  const expected: TraceSpan = {
    traceId: '12345678901234567'.padStart(32, '0'),
    spanId: 'ab00000000000001',
    parentSpanId: 'ab00000000000002',
    name: 'mesh.seed.giveup',
    service: 'mesh-a',
    kind: 'client',
    startMs: t0 + 0.007,
    durationMs: 1.5,
    attributes: { 'mesh.seed.attempt': 9, share: 0.5, why: 'no (such) file', 'mesh.error.message': 'refused' },
    resource: { 'service.name': 'mesh-a', 'mesh.node.name': 'node-1' },
    scope: { name: 'tracemesh', version: '' },
    links: [{ traceId: '4'.repeat(32), spanId: '5'.repeat(16) }],
    status: 'error',
  }
  assert.deepEqual(JSON.parse(JSON.stringify(traces[0]?.spans[0])), expected)
  const parameters = Object.fromEntries(requests[0]?.searchParams ?? [])
  assert.deepEqual(parameters, {
    service: 'mesh-a',
    operation: 'mesh.seed.giveup',
    start: `${t0}000`,
    end: `${t0 + 60_000}000`,
    limit: '101',
    tags: '{"mesh.seed.attempt":"9","mesh.node.name":"node-1"}',
  })
})

test('a question without an answer: one request', async () => {
  const { reader, requests } = readerOf({ '/api/traces': () => Response.json({ data: [] }) })
  assert.deepEqual((await reader.find({ ...query, attributes: { none: 'such' } })).traces, [])
  assert.equal(requests.length, 1)
})

test('a trace whose span has the number, and the query the text: left out', async () => {
  const { reader } = readerOf({ '/api/traces': () => Response.json(found) })
  assert.deepEqual((await reader.find({ ...query, attributes: { 'mesh.seed.attempt': '9' } })).traces, [])
})

const absent = {
  'status 404': () => Response.json({}, { status: 404 }),
  'no content': () => new Response(null, { status: 204 }),
  "Jaeger's page": () => page('<title>Jaeger UI</title>'),
}
const v3 = () => Response.json({ result: { resourceSpans: [] } })

function page(body: string, status = 200): Response {
  return new Response(`<!doctype html>${body}`, { status, headers: { 'content-type': 'text/html' } })
}

test('a server without /api/traces: each search asks /api/v3, and only the first asks for both', async () => {
  for (const [what, respond] of Object.entries(absent)) {
    const { reader, requests } = readerOf({ '/api/traces': respond, '/api/v3/traces': v3 })
    const search = { ...query, attributes: { late: true } }
    await reader.find(search)
    await reader.find(search)
    const paths = requests.map(({ pathname }) => pathname)
    assert.deepEqual(paths, ['/api/traces', '/api/v3/traces', '/api/v3/traces'], what)
  }
})

const failures = {
  'status 401': [() => Response.json({}, { status: 401 }), 'MESH_TRACES_REFUSED'],
  'status 403': [() => page('<h1>Forbidden</h1>', 403), 'MESH_TRACES_REFUSED'],
  'a page of a proxy with an error': [() => page('<h1>Bad Gateway</h1>', 502), 'MESH_TRACES_REFUSED'],
  'a page of a proxy to log in': [() => page('<h1>Log in</h1>'), 'MESH_TRACES_UNREADABLE'],
} as const

test('a search by attributes that a proxy answers once: fails with its reason, and the next one is asked again', async () => {
  for (const [what, [respond, code]] of Object.entries(failures)) {
    const responses = [respond, () => Response.json(found)]
    const { reader, requests } = readerOf({ '/api/traces': () => responses.shift()?.() ?? v3(), '/api/v3/traces': v3 })
    const search = { ...query, attributes: { why: 'no such file' } }
    await assert.rejects(reader.find(search), { code }, what)
    await reader.find(search)
    assert.deepEqual(
      requests.map(({ pathname }) => pathname),
      ['/api/traces', '/api/traces'],
      what,
    )
  }
})

test('another JSON from /api/traces: the search asks /api/v3, and the next one is asked again', async () => {
  const { reader, requests } = readerOf({ '/api/traces': () => Response.json({}), '/api/v3/traces': v3 })
  const search = { ...query, attributes: { late: true } }
  await reader.find(search)
  await reader.find(search)
  assert.equal(requests.filter(({ pathname }) => pathname === '/api/traces').length, 2)
})

test('a value of two spellings, one without an answer: the search fails, as its result may lack traces', async () => {
  const { reader } = readerOf({
    '/api/traces': (parameters) =>
      parameters.get('tags')?.includes('\\')
        ? Response.json(found)
        : Response.json({ errors: [{ msg: 'busy' }] }, { status: 503 }),
  })
  const search = { ...query, attributes: { why: 'no (such) file' } }
  await assert.rejects(reader.find(search), { code: 'MESH_TRACES_REFUSED' })
})

test('a value with operators of a regular expression: asked literally and escaped, and one may be refused', async () => {
  const { reader, requests } = readerOf({
    '/api/traces': (parameters) =>
      parameters.get('tags')?.includes('\\')
        ? Response.json(found)
        : Response.json({ errors: [{ msg: 'malformed' }] }, { status: 500 }),
  })
  const { traces } = await reader.find({ ...query, attributes: { why: 'no (such) file' } })
  assert.equal(traces.length, 1)
  const tags = requests.map(({ searchParams }) => JSON.parse(searchParams.get('tags') ?? ''))
  assert.deepEqual(tags, [{ why: 'no (such) file' }, { why: String.raw`no \(such\) file` }])
})

test('a search by a field: asks once whether the storage has fields among its tags, and filters where it has not', async () => {
  for (const hasFields of [true, false]) {
    const v3 = { traceId: '1'.repeat(32), spanId: '2'.repeat(16), name: 'a', kind: 2, startTimeUnixNano: `${t0}000000` }
    const resource = { attributes: [{ key: 'service.name', value: { stringValue: 'mesh-a' } }] }
    const { reader, requests } = readerOf({
      '/api/traces': () => Response.json(hasFields ? found : { data: [] }),
      '/api/v3/traces': () =>
        Response.json({ result: { resourceSpans: [{ resource, scopeSpans: [{ spans: [v3] }] }] } }),
    })
    const search = { ...query, attributes: { 'span.kind': hasFields ? 'client' : 'server' } }
    const lengths = [await reader.find(search), await reader.find(search)].map(({ traces }) => traces.length)
    assert.deepEqual(lengths, [1, 1])
    const paths = requests.map(({ pathname }) => pathname.replace('/api/', ''))
    const probe = ['v3/traces', 'traces']
    assert.deepEqual(paths, [...probe, ...(hasFields ? ['traces', 'traces'] : ['v3/traces', 'v3/traces'])])
  }
})

test('attributes and their tags', () => {
  for (const [attributes, sets] of [
    [{ 'service.name': 'mesh-a', error: false, 'span.status': 'unset', 'span.kind': '', 'scope.name': '' }, []],
    [{ error: true }, [{ error: 'true' }]],
    [{ 'span.status': 'ok', 'span.kind': 'Client' }, [{ 'otel.status_code': 'OK', 'span.kind': 'client' }]],
    [{ 'scope.name': 'lib', 'resource.zone': 'eu' }, [{ 'otel.scope.name': 'lib', zone: 'eu' }]],
    [{ ms: 0.5, third: 1 / 3, tiny: 1e-7, big: 1e21, long: 'x'.repeat(257) }, [{ ms: '0.5' }]],
    [{ 'process.memory.usage': 2_097_152 }, [{ 'process.memory.usage': '2097152' }, { 'process.memory.rss_mb': '2' }]],
  ] as const)
    assert.deepEqual(tagSets(attributes), sets, JSON.stringify(attributes))
  assert.deepEqual(tagSets({ error: true, zone: 'eu' }, false), [{ zone: 'eu' }])
})
