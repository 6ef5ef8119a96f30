import assert from 'node:assert/strict'
import { test } from 'node:test'
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

test('spans sent by OTLP: the reader finds them by service, name, attributes and time', async () => {
  await using running = await startTestStore()
  const { client, reader } = running
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
  assert.deepEqual(
    trace?.spans.map(({ name }) => name),
    ['mesh.window', 'mesh.member.expired'],
  )
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

async function startTestStore() {
  const options = { otlp: '127.0.0.1:0', http: '127.0.0.1:0', file: ':memory:' }
  const store = await startStore({ ...options, maxSpans: 10_000, maxBytes: 64_000_000, maxAgeMs: 60_000 })
  const client = otlpClient(store.otlpUrl)
  const reader = new TraceReader(store.queryUrl)
  const stop = async () => {
    client.close()
    await store.close()
  }
  return { store, client, reader, [Symbol.asyncDispose]: stop }
}

/** Spans start a millisecond apart, in the order of their ids. */
function span(trace: number, number: number, rest: Partial<SentSpan> & { name: string }): SentSpan {
  return { traceId: id(trace, 32), spanId: id(number, 16), startMs: nowMs + number, ...rest }
}

function id(number: number, digits: number): string {
  return number.toString(16).padStart(digits, '0')
}
