import assert from 'node:assert/strict'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { connect, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { until } from '../processes/waiting.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { exportBytes } from './otlp-client.ts'
import { ConcurrencyLimiter, startQueryServer } from './query-server.ts'
import { recordsOf } from './span-record.ts'
import { SpanStore } from './span-store.ts'
import { createDecoder } from './wire.ts'

leakCheck()

const t0 = 1_790_000_000_000
const hourMs = 3_600_000
const decode = createDecoder()

test('clients that stop reading: the server disconnects them, and searches go on', async (t) => {
  const { url, query } = await startServer(t, 1_500)
  const stalled = await stalledReaders(t, url)
  const answers = await Promise.all([query(), query(), query(), query(), query()])
  assert.ok(
    answers.every(({ status, retry }) => status === 404 || (status === 503 && retry === '1')),
    JSON.stringify(answers),
  )
  await until(async () => (await query()).status === 404, 30_000, 'searches go on')
  assert.ok(
    stalled.every((socket) => !socket.destroyed),
    'the server closed them, not the clients',
  )
})

test('clients that disconnect while queued: are not searched for', async (t) => {
  const { url, query, store } = await startServer(t, 30_000)
  const stalled = await stalledReaders(t, url)
  const freshCalls = t.mock.method(store, 'fresh')
  await untilUnchanged(() => freshCalls.mock.callCount(), 'the socket buffers are full and reading stops')
  freshCalls.mock.resetCalls()
  const responses = openedResponses(t)
  const leaving = Array.from({ length: 8 }, () => reader(t, url, t0 + hourMs))
  await until(() => responses.length === leaving.length, 30_000, 'the server has all requests')
  for (const socket of leaving) socket.destroy()
  await until(() => responses.every(({ closed }) => closed), 30_000, 'the server notices that the clients left')
  assert.equal(freshCalls.mock.callCount(), 0)
  const [first] = stalled
  first?.destroy()
  assert.equal((await query()).status, 404)
  assert.equal(freshCalls.mock.callCount(), 1, 'only the client that stayed')
})

/** Resolves when a value is the same in five polls in a row. */
async function untilUnchanged(value: () => number, what: string): Promise<void> {
  let [last, polls] = [Number.NaN, 0]
  const isUnchanged = () => {
    const now = value()
    polls = now === last ? polls + 1 : 1
    last = now
    return polls >= 5
  }
  await until(isUnchanged, 30_000, what)
}

/** Responses to the requests that HTTP servers of this process receive from now on. */
function openedResponses(t: TestContext): ServerResponse[] {
  const responses: ServerResponse[] = []
  const onStart = (message: unknown) => void responses.push((message as { response: ServerResponse }).response)
  subscribe('http.server.request.start', onStart)
  t.after(() => unsubscribe('http.server.request.start', onStart))
  return responses
}

/** Four clients occupy all slots: their responses exceed the socket buffers. */
async function stalledReaders(t: TestContext, url: string): Promise<Socket[]> {
  const sockets = Array.from({ length: 4 }, () => reader(t, url, t0))
  await Promise.all(sockets.map((socket) => once(socket, 'readable')))
  return sockets
}

/** Requests an hour of traces, and does not read the response. */
function reader(t: TestContext, url: string, fromMs: number): Socket {
  const { hostname, port } = new URL(url)
  const socket = connect({ host: hostname, port: Number(port) })
  t.after(() => socket.destroy())
  socket.on('error', () => {})
  socket.write(`GET /api/v3/traces?${times(fromMs)} HTTP/1.1\r\nhost: ${hostname}\r\n\r\n`)
  return socket
}

async function startServer(t: TestContext, answerMs: number) {
  const bounds = { maxSpans: 10_000, maxBytes: 100_000_000, maxAgeMs: 1e12 }
  const store = new SpanStore({ file: ':memory:', ...bounds })
  for (let number = 1; number <= 40; number++) {
    const ids = { traceId: number.toString(16).padStart(32, '0'), spanId: number.toString(16).padStart(16, '0') }
    const attributes = { long: 'x'.repeat(700_000) }
    const body = exportBytes({ 'service.name': 'mesh-a' }, [{ ...ids, name: 'a', startMs: t0 + number, attributes }])
    store.add([{ body, ...recordsOf(decode(body)) }])
  }
  store.seal()
  const onError = (error: unknown) => t.diagnostic(String(error))
  const server = await startQueryServer({ store, onError, listen: '127.0.0.1:0', answerMs })
  const { url } = server
  t.after(async () => {
    await server.close()
    store.close()
  })
  const query = async () => {
    const answer = await fetch(`${url}/api/v3/traces?${times(t0 + hourMs)}`)
    await answer.arrayBuffer()
    return { status: answer.status, retry: answer.headers.get('retry-after') }
  }
  return { url, query, store }
}

/** Parameters for the hour from `fromMs`. */
function times(fromMs: number): string {
  const [from, to] = [fromMs, fromMs + hourMs - 1].map((ms) => new Date(ms).toISOString())
  return `query.start_time_min=${from}&query.start_time_max=${to}`
}

test('one slot and one waiter: the third caller is refused, a released slot passes to the waiter', async () => {
  const limiter = new ConcurrencyLimiter(1, 1)
  const { signal } = new AbortController()
  const first = await limiter.acquire(signal)
  const second = limiter.acquire(signal)
  assert.equal(await limiter.acquire(signal), undefined)
  first?.()
  first?.()
  const release = await second
  const third = limiter.acquire(signal)
  assert.equal(await limiter.acquire(signal), undefined, 'releasing twice frees one slot')
  release?.()
  assert.ok(await third)
})

test('a waiter that aborts: leaves the queue, and gets no slot', async () => {
  const limiter = new ConcurrencyLimiter(1, 1)
  const { signal } = new AbortController()
  const first = await limiter.acquire(signal)
  const aborting = new AbortController()
  const aborted = assert.rejects(limiter.acquire(aborting.signal), /gave up/)
  aborting.abort(new Error('gave up'))
  await aborted
  const next = limiter.acquire(signal)
  first?.()
  assert.ok(await next)
  await assert.rejects(limiter.acquire(aborting.signal), /gave up/)
})
