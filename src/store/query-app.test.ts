import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { leakCheck } from '../testing/leak-check.ts'
import { until } from '../testing/until.ts'
import { decoder } from './decode.ts'
import { exportBytes } from './otlp-client.ts'
import { startQueryServer } from './query-server.ts'
import { recordsOf } from './span-record.ts'
import { SpanStore } from './span-store.ts'

leakCheck()

const t0 = 1_790_000_000_000
const hourMs = 3_600_000
const decode = decoder()

test('readers that stall are cut off, and make room', async (t) => {
  const { url, ask } = await running(t, 1_500)
  const stalled = await stalledReaders(t, url)
  const answers = await Promise.all([ask(), ask(), ask(), ask(), ask()])
  assert.ok(
    answers.every(({ status, retry }) => status === 404 || (status === 503 && retry === '1')),
    JSON.stringify(answers),
  )
  await until(async () => (await ask()).status === 404, 5_000, 'searches go on')
  assert.ok(
    stalled.every((socket) => !socket.destroyed),
    'by the store, not by themselves',
  )
})

test('who left while it waited is not searched for', async (t) => {
  const { url, ask, store } = await running(t, 30_000)
  const stalled = await stalledReaders(t, url)
  const searched = t.mock.method(store, 'fresh')
  // What the sockets take of the answers is read by then.
  for (let before = -1; before !== searched.mock.callCount(); await sleep(200)) before = searched.mock.callCount()
  searched.mock.resetCalls()
  const leaving = Array.from({ length: 8 }, () => reader(t, url, t0 + hourMs))
  await Promise.all(leaving.map((socket) => once(socket, 'ready')))
  await sleep(200)
  for (const socket of leaving) socket.destroy()
  await sleep(200)
  assert.equal(searched.mock.callCount(), 0)
  const [first] = stalled
  first?.destroy()
  assert.equal((await ask()).status, 404)
  assert.equal(searched.mock.callCount(), 1, 'the one that stayed')
})

/** Four of them take every place there is: their answers are longer than what the sockets between hold. */
async function stalledReaders(t: TestContext, url: string): Promise<Socket[]> {
  const sockets = Array.from({ length: 4 }, () => reader(t, url, t0))
  await Promise.all(sockets.map((socket) => once(socket, 'readable')))
  return sockets
}

/** Asks for an hour, and reads nothing. */
function reader(t: TestContext, url: string, fromMs: number): Socket {
  const { hostname, port } = new URL(url)
  const socket = connect({ host: hostname, port: Number(port) })
  t.after(() => socket.destroy())
  socket.on('error', () => {})
  socket.write(`GET /api/v3/traces?${times(fromMs)} HTTP/1.1\r\nhost: ${hostname}\r\n\r\n`)
  return socket
}

async function running(t: TestContext, answerMs: number) {
  const bounds = { maxSpans: 10_000, maxBytes: 100_000_000, maxAgeMs: 1e12 }
  const store = new SpanStore({ file: ':memory:', decode, ...bounds })
  for (let number = 1; number <= 40; number++) {
    const ids = { traceId: number.toString(16).padStart(32, '0'), spanId: number.toString(16).padStart(16, '0') }
    const attributes = { long: 'x'.repeat(700_000) }
    const body = exportBytes({ 'service.name': 'mesh-a' }, [{ ...ids, name: 'a', startMs: t0 + number, attributes }])
    store.add([{ body, ...recordsOf(decode(body)) }])
  }
  store.seal()
  const failed = (error: unknown) => t.diagnostic(String(error))
  const address = { host: '127.0.0.1', port: 0 }
  const server = await startQueryServer({ store, failed, address, answerMs })
  const url = `http://127.0.0.1:${server.port}`
  t.after(async () => {
    await server.close()
    store.close()
  })
  const ask = async () => {
    const answer = await fetch(`${url}/api/v3/traces?${times(t0 + hourMs)}`)
    await answer.arrayBuffer()
    return { status: answer.status, retry: answer.headers.get('retry-after') }
  }
  return { url, ask, store }
}

/** An hour from then. */
function times(fromMs: number): string {
  const [from, to] = [fromMs, fromMs + hourMs - 1].map((ms) => new Date(ms).toISOString())
  return `query.start_time_min=${from}&query.start_time_max=${to}`
}
