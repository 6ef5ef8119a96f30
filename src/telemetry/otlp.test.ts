import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { type TestContext, test } from 'node:test'
import { ServerCredentials } from '@grpc/grpc-js'
import { emitSpan } from '../catalogue/span-effect.ts'
import { systemClock } from '../kit/clock.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { makeCertificates } from '../testing/otlp/certificates.ts'
import { memberLeft, resource, window } from '../testing/otlp/memory-telemetry.ts'
import { type Receiver, type ReceiverOptions, startReceiver } from '../testing/otlp/otlp-receiver.ts'
import { skipWithout } from '../testing/requirement.ts'
import { startTelemetry, type Telemetry, type TelemetryOptions } from './telemetry.ts'

leakCheck()

// The real exporter and a real receiver over gRPC on loopback; only the waits are shorter than in a node.

function start(receiver: Receiver, options: Partial<TelemetryOptions> = {}): Telemetry {
  const limits = { delayMs: 50, backoff: { minMs: 50, maxMs: 400 }, ...options.limits }
  return startTelemetry({ clock: systemClock, resource, endpoint: receiver.endpoint, ...options, limits })
}

/** A receiver, and telemetry that exports to it; both close after the test. */
async function startPair(t: TestContext, options: Partial<TelemetryOptions> = {}) {
  const receiver = await startReceiver()
  const telemetry = start(receiver, options)
  t.after(async () => {
    await telemetry.close(1_000)
    await receiver.close()
  })
  return { receiver, telemetry }
}

async function startTestReceiver(t: TestContext, options: ReceiverOptions = {}): Promise<Receiver> {
  const receiver = await startReceiver(options)
  t.after(() => receiver.close())
  return receiver
}

function burst(telemetry: Telemetry, count: number): void {
  for (let i = 0; i < count; i++) telemetry.emit(memberLeft, window)
}

function sequences(receiver: Receiver): number[] {
  return [...new Set(receiver.spans.map(({ attributes }) => Number(attributes['mesh.seq'])))].sort((a, b) => a - b)
}

function reportedLosses(receiver: Receiver): number {
  const spans = receiver.spans.filter(({ name }) => name === 'mesh.telemetry.lost')
  return spans.reduce((sum, { attributes }) => sum + Number(attributes['mesh.lost.count']), 0)
}

const numbersUpTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1)

test('an emitted span: arrives with its ids, links, resource and status, and attributes of every type', async (t) => {
  const { receiver, telemetry } = await startPair(t)
  const ref = { traceId: '1'.repeat(32), spanId: '2'.repeat(16) }
  const pruned = {
    'mesh.pruned.count': 2,
    'mesh.pruned.peers': ['p1', 'p2'],
    'mesh.pruned.remaining': 9_007_199_254_740_991,
    'mesh.pruned.remaining_band': '4096+',
    'mesh.pruned.suspended': true,
  } as const
  const options = { ref, parent: null, links: [window], failed: true }
  telemetry.emit(emitSpan('mesh.staleness.pruned', pruned, options), undefined)
  const span = await receiver.waitFor(({ name }) => name === 'mesh.staleness.pruned', 30_000)
  const { startMs: _, endMs, resource: sender, ...rest } = span
  const attributes = { ...pruned, 'mesh.seq': 1 }
  assert.deepEqual(rest, { name: span.name, ...ref, parentSpanId: '', links: [window], attributes, status: 'error' })
  assert.equal(sender['mesh.node.name'], 'n1')
  assert.ok(Math.abs(endMs - Date.now()) < 10_000)
})

/** A logger, and a promise of the first export failure that it gets. */
function failureLog() {
  const { promise: failed, resolve } = Promise.withResolvers<void>()
  const logger: TelemetryOptions['logger'] = (_level, message) => {
    if (message.startsWith('OTLP export failed')) resolve()
  }
  return { logger, failed }
}

/** Sends one span with these variables set; `reports`: what the logger got. */
async function sendWith(
  env: Readonly<Record<string, string>>,
  receiver: Receiver,
  { flushMs = 5_000, ...options }: Partial<TelemetryOptions> & { readonly flushMs?: number } = {},
): Promise<{ left: number; reports: string }> {
  Object.assign(process.env, env)
  const reports: unknown[] = []
  try {
    const logger = (...report: unknown[]) => void reports.push(report)
    const telemetry = start(receiver, { logger, ...options })
    burst(telemetry, 1)
    const { left } = await telemetry.flush(flushMs)
    await telemetry.close(100)
    return { left, reports: JSON.stringify(reports) }
  } finally {
    for (const name of Object.keys(env)) delete process.env[name]
  }
}

test('an endpoint in the environment: is used only if none is configured', async (t) => {
  const receiver = await startTestReceiver(t)
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint }
  assert.equal((await sendWith(env, receiver, { endpoint: undefined })).left, 0)
  assert.equal((await sendWith({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1' }, receiver)).left, 0)
  assert.equal(receiver.spans.length, 2)
})

test('a proxy in the environment: a receiver on loopback is reached without it', async (t) => {
  const receiver = await startTestReceiver(t)
  const dead = 'http://127.0.0.1:1'
  for (const variable of ['grpc_proxy', 'https_proxy', 'http_proxy'])
    assert.equal((await sendWith({ [variable]: dead }, receiver)).left, 0, variable)
})

test('an export that fails through a proxy: the report names the proxy, without its credentials', async (t) => {
  const receiver = await startTestReceiver(t)
  const env = { http_proxy: 'http://me:hunter2@127.0.0.1:1' }
  const { left, reports } = await sendWith(env, receiver, { endpoint: 'http://192.0.2.1:4317', flushMs: 2_000 })
  assert.equal(left, 1)
  assert.match(reports, /through the proxy 127\.0\.0\.1:1 of http_proxy/)
  assert.doesNotMatch(reports, /hunter2|undefined/)
})

test('a timeout shorter than the receiver needs: is raised, and each span arrives once', async (t) => {
  const receiver = await startTestReceiver(t, { answerMs: 600 })
  const { left, reports } = await sendWith({ OTEL_EXPORTER_OTLP_TIMEOUT: '100' }, receiver)
  assert.deepEqual([left, receiver.spans.length], [0, 1])
  assert.match(reports, /OTEL_EXPORTER_OTLP_TIMEOUT is too short, raised/)
})

test('a refusal that repeats the token: the report redacts it', async (t) => {
  const receiver = await startTestReceiver(t, { authorization: 'Bearer another' })
  const env = { OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20hunter2-hunter2' }
  const { reports } = await sendWith(env, receiver)
  assert.match(reports, /refused spans.*token \[redacted\]/)
  assert.doesNotMatch(reports, /hunter2/)
})

test('a remote Collector with TLS, client certificate and token: OpenTelemetry’s variables configure all three', async (t) => {
  await using files = await makeCertificates()
  if (files === undefined) return skipWithout(t, 'openssl', 'openssl is not installed')
  const { authority, server, client } = files
  const pair = { private_key: readFileSync(server.key), cert_chain: readFileSync(server.certificate) }
  const tls = ServerCredentials.createSsl(readFileSync(authority), [pair], true)
  const receiver = await startTestReceiver(t, { tls, authorization: 'Bearer abc' })
  const env = {
    OTEL_EXPORTER_OTLP_CERTIFICATE: authority,
    OTEL_EXPORTER_OTLP_CLIENT_KEY: client.key,
    OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: client.certificate,
    OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20abc',
  }
  assert.equal((await sendWith(env, receiver)).left, 0)
  assert.equal(receiver.spans.length, 1)
  const { OTEL_EXPORTER_OTLP_HEADERS: _, ...withoutToken } = env
  await sendWith(withoutToken, receiver)
  const { OTEL_EXPORTER_OTLP_CERTIFICATE: __, ...unknownAuthority } = env
  const { left } = await sendWith(unknownAuthority, receiver, { flushMs: 2_000 })
  assert.deepEqual([left, receiver.spans.length], [1, 1], 'nothing for an unknown authority')
})

test('endpoint off: spans are counted and not sent', async (t) => {
  const { receiver, telemetry } = await startPair(t, { endpoint: 'off' })
  burst(telemetry, 600)
  const { lost } = await telemetry.close(1_000)
  assert.deepEqual([lost, telemetry.stats.emitted, receiver.spans], [0, 600, []])
})

test('ten thousand spans in one tick: all arrive', async (t) => {
  const { receiver, telemetry } = await startPair(t)
  burst(telemetry, 10_000)
  assert.deepEqual(await telemetry.flush(10_000), { left: 0 })
  assert.deepEqual(sequences(receiver), numbersUpTo(10_000))
  assert.deepEqual(telemetry.stats, { emitted: 10_000, exported: 10_000, queued: 0, lostTotal: 0, sampledOut: 0 })
  assert.deepEqual(await telemetry.close(1_000), { lost: 0 })
})

test('a receiver that stopped and restarts: gets every span', async (t) => {
  const { logger, failed } = failureLog()
  const { receiver, telemetry } = await startPair(t, { logger })
  burst(telemetry, 20)
  await telemetry.flush(5_000)
  await receiver.stop()
  burst(telemetry, 1_000)
  await failed
  burst(telemetry, 1_000)
  assert.equal(telemetry.stats.exported, 20)
  await receiver.restart()
  await receiver.waitFor(({ attributes }) => attributes['mesh.seq'] === 2_020, 30_000)
  assert.deepEqual(sequences(receiver), numbersUpTo(2_020))
  assert.deepEqual(await telemetry.close(1_000), { lost: 0 })
})

test('more spans than the bound: the loss spans count exactly the missing ones', async (t) => {
  const { logger, failed } = failureLog()
  const { receiver, telemetry } = await startPair(t, { logger, limits: { queuedSpans: 1_000 } })
  receiver.pause()
  burst(telemetry, 700)
  await failed
  for (let i = 0; i < 4; i++) burst(telemetry, 700)
  receiver.resume()
  await receiver.waitFor(({ name }) => name === 'mesh.telemetry.lost', 30_000)
  assert.deepEqual(await telemetry.flush(10_000), { left: 0 })
  const { emitted, lostTotal } = telemetry.stats
  const losses = [emitted - sequences(receiver).length, lostTotal, reportedLosses(receiver)]
  assert.deepEqual(losses, [2_500, 2_500, 2_500])
  assert.deepEqual(await telemetry.close(1_000), { lost: 0 })
})

test('spans that the receiver refuses: a loss span counts them once it accepts spans again', async (t) => {
  const { receiver, telemetry } = await startPair(t)
  receiver.pause(3)
  burst(telemetry, 7)
  assert.deepEqual(await telemetry.flush(5_000), { left: 0 })
  receiver.resume()
  burst(telemetry, 1)
  const lost = await receiver.waitFor(({ name }) => name === 'mesh.telemetry.lost', 30_000)
  assert.deepEqual([lost.attributes['mesh.lost.count'], lost.attributes['mesh.lost.where']], [7, 'refused'])
})

test('closing while the receiver is away: ends within its limit and reports the loss', async (t) => {
  const reports: Record<string, unknown>[] = []
  const { receiver, telemetry } = await startPair(t, { logger: (_level, _message, fields) => reports.push(fields) })
  await receiver.stop()
  burst(telemetry, 1_234)
  const began = performance.now()
  assert.deepEqual(await telemetry.close(500), { lost: 1_234 })
  assert.ok(performance.now() - began < 1_500)
  assert.deepEqual(reports.at(-1), { lost: 1_234, ring: 0, refused: 0, exit: 1_234 })
})
