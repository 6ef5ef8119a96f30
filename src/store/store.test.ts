import assert from 'node:assert/strict'
import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import { type TestContext, test } from 'node:test'
import { status } from '@grpc/grpc-js'
import { leakCheck } from '../testing/leak-check.ts'
import { TraceReader } from '../traces/reader.ts'
import { exportBytes, otlpClient, type SentSpan } from './otlp-client.ts'
import { startStore } from './store.ts'

leakCheck()

const resource = {
  'service.name': 'mesh-a',
  'mesh.node.name': 'a1',
  'service.instance.id': 'i1',
  'mesh.node.incarnation': 3,
}
const nowMs = 1_790_000_000_000.25
const limits = { maxSpans: 100_000, maxBytes: 64_000_000, maxAgeMs: 60_000 }
const options = { otlp: '127.0.0.1:0', http: '127.0.0.1:0', file: ':memory:', ...limits }

test('spans sent by OTLP: the reader finds them by service, name, attributes and time', async (t) => {
  const { client, store } = await startTestStore(t)
  const reader = new TraceReader(store.queryUrl)
  const spans = [
    span(1, 1, { name: 'mesh.window', attributes: { 'mesh.seq': 1 } }),
    span(1, 2, {
      name: 'mesh.member.expired',
      parentSpanId: id(1, 16),
      durationMs: 1.5,
      status: 2,
      attributes: { 'mesh.seq': 2, 'mesh.peer': 'p', ratio: 0.5, late: true, topics: ['x', 'y'] },
      links: [{ traceId: id(2, 32), spanId: id(3, 16) }],
    }),
    span(2, 3, { name: 'mesh.window', attributes: { 'mesh.seq': 3 } }),
  ]
  assert.equal((await client.send(exportBytes(resource, spans))).code, status.OK)
  assert.deepEqual(await reader.services(), ['mesh-a'])
  assert.deepEqual(await reader.operations('mesh-a'), ['mesh.member.expired', 'mesh.window'])
  const trace = await reader.trace(id(1, 32))
  const names = trace?.spans.map(({ name }) => name)
  assert.deepEqual(names, ['mesh.window', 'mesh.member.expired'])
  assert.deepEqual(
    { ...trace?.spans[1], attributes: { ...trace?.spans[1]?.attributes }, resource: { ...trace?.spans[1]?.resource } },
    {
      traceId: id(1, 32),
      spanId: id(2, 16),
      parentSpanId: id(1, 16),
      name: 'mesh.member.expired',
      service: 'mesh-a',
      startMs: nowMs + 2,
      durationMs: 1.5,
      attributes: { 'mesh.seq': 2, 'mesh.peer': 'p', ratio: 0.5, late: true, topics: ['x', 'y'] },
      resource,
      links: [{ traceId: id(2, 32), spanId: id(3, 16) }],
      kind: 'internal',
      scope: { name: 'tracemesh', version: '' },
      status: 'error',
    },
  )
  assert.equal(await reader.trace(id(9, 32)), undefined)
  const query = { service: 'mesh-a', fromMs: nowMs, toMs: nowMs + 10 }
  const ids = async (more: object) => (await reader.find({ ...query, ...more })).traces.map(({ traceId }) => traceId)
  assert.deepEqual(await ids({}), [id(2, 32), id(1, 32)])
  assert.deepEqual(await ids({ span: 'mesh.member.expired' }), [id(1, 32)])
  assert.deepEqual(await ids({ attributes: { 'mesh.seq': 3, 'mesh.node.name': 'a1' } }), [id(2, 32)])
  assert.deepEqual(await ids({ attributes: { 'mesh.seq': 3, 'mesh.node.name': 'a2' } }), [])
  assert.deepEqual(await ids({ attributes: { error: true } }), [id(1, 32)])
  assert.deepEqual(await ids({ attributes: { error: 'true', 'mesh.seq': 1 } }), [])
  assert.deepEqual(await ids({ service: 'mesh-b' }), [])
  assert.deepEqual(await ids({ toMs: nowMs + 2 }), [id(1, 32)])
})

test('malformed and oversized exports: get the matching gRPC status, and the store goes on', async (t) => {
  const { client, query } = await startTestStore(t)
  const good = exportBytes(resource, [numbered(1)])
  for (const bytes of [Buffer.from('garbage'), good.subarray(0, -7), Buffer.alloc(1_000, 0xff)])
    assert.equal((await client.send(bytes)).code, status.INVALID_ARGUMENT)
  assert.equal((await client.send(Buffer.alloc(5 * 1024 * 1024))).code, status.RESOURCE_EXHAUSTED)
  const partly = await client.send(
    exportBytes(resource, [numbered(2), { ...numbered(3), traceId: '00' }, { ...numbered(4), spanId: '0'.repeat(16) }]),
  )
  assert.equal(partly.code, status.OK)
  assert.match(JSON.stringify(partly.response), /"low":2.*not all zero/)
  assert.equal((await client.send(Buffer.alloc(0))).code, status.OK)
  assert.equal((await client.send(good)).code, status.OK)
  const { spans, refused } = (await query('/api/stats')).body as { spans: number; refused: number }
  assert.deepEqual({ spans, refused }, { spans: 2, refused: 2 })
})

test('an invalid request: is answered in the format of Jaeger’s errors', async (t) => {
  const { query, store } = await startTestStore(t)
  const week = times(Date.UTC(2026, 0, 1), Date.UTC(2026, 0, 8))
  const invalid = {
    '/api/v3/traces': 400,
    '/api/v3/traces?query.start_time_min=noon&query.start_time_max=later': 400,
    [`/api/v3/traces?${week}&query.num_traces=0`]: 400,
    [`/api/v3/traces?${week}&query.searchDepth=Infinity`]: 400,
    [`/api/v3/traces?${week}&query.attributes=[1]`]: 400,
    [`/api/v3/traces?${week}&query.attributes={`]: 400,
    [`/api/v3/traces?${week}&query.duration_min=soon`]: 400,
    '/api/v3/traces/xyz': 400,
    '/api/v3/traces/00000000000000000000000000000001': 404,
    // A week without spans.
    [`/api/v3/traces?${week}&query.service_name=mesh-a`]: 404,
    '/api/v3/nowhere': 404,
  }
  for (const [path, code] of Object.entries(invalid)) {
    const { status: answered, body } = await query(path)
    assert.equal(answered, code, path)
    const { error } = body as { error: { httpCode: number; message: string } }
    assert.equal(error.httpCode, code, path)
    assert.ok(error.message.length > 5, path)
  }
  assert.equal((await query('/api/v3/operations?service=mesh-a&service=mesh-b&span_kind=a&span_kind=b')).status, 200)
  assert.equal(await statusFor(store.queryUrl, 'evil.example.org'), 403)
  assert.equal(await statusFor(store.queryUrl, 'localhost:16686'), 200)
})

test('a thousand requests at once: each gets its trace, or a 503 with Retry-After', async (t) => {
  const { client, query, store } = await startTestStore(t)
  const spans = Array.from({ length: 2_500 }, (_, index) => numbered(index + 1))
  for (let at = 0; at < spans.length; at += 500) await client.send(exportBytes(resource, spans.slice(at, at + 500)))
  const url = `${store.queryUrl}/api/v3/traces?${times(nowMs, nowMs + 10_000)}&query.service_name=mesh-a&query.num_traces=20&query.attributes={"number":"2000"}`
  const answers = await Promise.all(
    Array.from({ length: 1_000 }, async () => {
      const response = await fetch(url)
      const spans = (await response.text()).split('"spanId"').length - 1
      if (response.status === 503) return `503, retry after ${response.headers.get('retry-after')}`
      return `${response.status}, ${spans} span`
    }),
  )
  const kinds = Map.groupBy(answers, (answer) => answer)
  const answered = kinds.get('200, 1 span')?.length ?? 0
  assert.ok(answered >= 4, `${answered} answered`)
  kinds.delete('200, 1 span')
  kinds.delete('503, retry after 1')
  assert.deepEqual([...kinds.keys()], [])
  assert.equal((await query('/healthz')).status, 200)
})

test('options with an invalid bound, a remote address or a port in use: are refused by name', async (t) => {
  const { store } = await startTestStore(t)
  const invalid = {
    '--otlp': { otlp: '0.0.0.0:0' },
    '--http': { http: 'nonsense' },
    '--max-spans': { maxSpans: 9_999 },
    '--max-mb': { maxBytes: 1_000 },
    '--max-age': { maxAgeMs: Number.POSITIVE_INFINITY },
  }
  for (const [key, option] of Object.entries(invalid))
    await assert.rejects(startStore({ ...options, ...option }), {
      code: 'MESH_CONFIG_INVALID',
      message: new RegExp(key),
    })
  for (const [key, url] of [
    ['otlp', store.otlpUrl],
    ['http', store.queryUrl],
  ] as const)
    await assert.rejects(startStore({ ...options, [key]: new URL(url).host }), { code: 'MESH_PORT_TAKEN' })
})

function times(fromMs: number, toMs: number): string {
  const [from, to] = [new Date(fromMs).toISOString(), new Date(toMs).toISOString()]
  return `query.start_time_min=${from}&query.start_time_max=${to}`
}

async function startTestStore(t: TestContext) {
  const store = await startStore(options)
  const client = otlpClient(store.otlpUrl)
  t.after(async () => {
    client.close()
    await store.close()
  })
  const query = async (path: string) => {
    const response = await fetch(store.queryUrl + path)
    return { status: response.status, body: (await response.json()) as unknown }
  }
  return { store, client, query }
}

/** Spans start a millisecond apart, in the order of their ids. */
function span(trace: number, number: number, rest: Partial<SentSpan> & { name: string }): SentSpan {
  return { traceId: id(trace, 32), spanId: id(number, 16), startMs: nowMs + number, ...rest }
}

/** A span `a` in a trace of its own, with its number as an attribute. */
function numbered(number: number): SentSpan {
  return span(number, number, { name: 'a', durationMs: 1, attributes: { number } })
}

function id(number: number, digits: number): string {
  return number.toString(16).padStart(digits, '0')
}

/** With another `Host` header, which `fetch` cannot send. */
async function statusFor(url: string, host: string): Promise<number | undefined> {
  const request = get(`${url}/api/v3/services`, { headers: { host }, agent: false })
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  response.resume()
  return response.statusCode
}
