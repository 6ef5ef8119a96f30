import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import { isMeshError } from '../core/errors.ts'
import { examine } from '../doctor/report/examine.ts'
import { resourceSpansOf } from '../testing/doctor/span-source.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { diagnoseStore, memoryLimitMb } from './doctor-thread.ts'

// The pool of `fetch` keeps a connection for some seconds after its last use.
leakCheck({ graceMs: 8_000 })

const beginMs = Date.UTC(2026, 10, 30, 12)
const minuteMs = 60_000
const { signal } = new AbortController()
const quiet = () => {}

/** A store whose answers a test gives as text; undefined: none. */
async function startStore(t: TestContext, answer: (url: URL) => Buffer | undefined): Promise<string> {
  const server = createServer((request, response: ServerResponse) => {
    const body = answer(new URL(request.url ?? '', 'http://store'))
    if (body !== undefined) response.writeHead(200, { 'content-type': 'application/json' }).end(body)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const services = Buffer.from(JSON.stringify({ services: ['mesh-a'] }))
const operations = Buffer.from(JSON.stringify({ operations: [{ name: 'mesh.audit', spanKind: 'internal' }] }))

/** A minute of ten busy nodes: 15,000 spans, 10 MB. */
function busyMinute(minute: number): Buffer {
  const spans = Array.from({ length: 10 }, (_, node) => {
    const resource = {
      'service.instance.id': `i${node}`,
      'mesh.node.name': `node-${node}`,
      'mesh.peer.self': `p${node}`,
    }
    return Array.from({ length: 1_500 }, (__, index) => ({
      ...{ traceId: `${minute} ${node}`, spanId: `${minute} ${node} ${index}`, parentSpanId: '' },
      name: index % 50 === 0 ? 'mesh.audit' : 'mesh.member.joined',
      ...({ service: 'mesh-a', kind: 'internal', durationMs: 0, resource, links: [], status: 'unset' } as const),
      startMs: beginMs + minute * minuteMs + index * 30,
      attributes: { 'mesh.seq': minute * 1_500 + index + 1, 'mesh.peer.name': `peer ${index}`, 'mesh.audit.links': 3 },
      scope: { name: 'tracemesh', version: '' },
    }))
  }).flat()
  return Buffer.from(JSON.stringify({ result: { resourceSpans: resourceSpansOf(spans) } }))
}

/** CPU milliseconds of this thread for which other work had to wait, at most: another process may take the CPU. */
async function longestBusyMs(work: Promise<unknown>): Promise<number> {
  let longest = 0
  let last = process.threadCpuUsage()
  const timer = setInterval(() => {
    const { user, system } = process.threadCpuUsage(last)
    longest = Math.max(longest, (user + system) / 1_000)
    last = process.threadCpuUsage()
  }, 5)
  await work.finally(() => clearInterval(timer))
  return longest
}

test('a diagnosis of 45,000 spans: the event loop is never busy for 100 ms, as it is without a thread', async (t) => {
  const minutes = [0, 1, 2].map(busyMinute)
  const url = await startStore(t, ({ pathname, searchParams }) => {
    if (pathname.endsWith('/services')) return services
    if (pathname.endsWith('/operations')) return operations
    return minutes[(Date.parse(searchParams.get('query.startTimeMin') ?? '') - beginMs) / minuteMs]
  })
  const period = { fromMs: beginMs, toMs: beginMs + 3 * minuteMs }
  const here = await longestBusyMs(examine({ url, files: [], mesh: undefined, period, signal, progress: quiet }))
  assert.ok(here > 100, `without a thread: ${here} ms`)
  const diagnosis = diagnoseStore(url)(period, signal, quiet)
  const busyMs = await longestBusyMs(diagnosis)
  assert.ok(busyMs < 100, `${busyMs} ms`)
  const { evidence } = await diagnosis
  assert.deepEqual([evidence.spans, evidence.nodes, evidence.complete], [45_000, 10, true])
})

test('a store that is away or empty: the error keeps its code and its words', async (t) => {
  const period = { fromMs: beginMs, toMs: beginMs + minuteMs }
  await assert.rejects(diagnoseStore('http://127.0.0.1:1/')(period, signal, quiet), (error) =>
    isMeshError(error, 'MESH_TRACES_UNREACHABLE'),
  )
  const url = await startStore(t, ({ pathname }) =>
    pathname.endsWith('/services') ? Buffer.from('{"services":[]}') : Buffer.from('{}'),
  )
  await assert.rejects(diagnoseStore(url)(period, signal, quiet), (error) => {
    assert.match((error as Error).message, /no span of a mesh in http.*it has no service.*start nodes/)
    return isMeshError(error, 'MESH_SPANS_ABSENT')
  })
})

test('an abort while the store does not answer: its reason, and the thread ends', async (t) => {
  const aborting = new AbortController()
  const url = await startStore(t, () => {
    aborting.abort(new Error('the server of the page closes'))
    return undefined
  })
  const period = { fromMs: beginMs, toMs: beginMs + minuteMs }
  await assert.rejects(diagnoseStore(url)(period, aborting.signal, quiet), /the server of the page closes/)
})

test('the memory of the thread: a part of what is free, within bounds', () => {
  assert.deepEqual(
    [30, 200, 4_000].map((mebibytes) => memoryLimitMb(mebibytes * 1_048_576)),
    [64, 120, 384],
  )
})
