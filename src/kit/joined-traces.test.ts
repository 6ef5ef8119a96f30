import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gossipsub } from '@chainsafe/libp2p-gossipsub'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { identify } from '@libp2p/identify'
import { createLibp2p } from 'libp2p'
import { until } from '../processes/waiting.ts'
import { createLogger } from '../telemetry/logger.ts'
import { appTracing } from '../testing/app-tracing.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { recordingTelemetry } from '../testing/otlp/recording-telemetry.ts'
import { listenOn } from '../testing/suite/real-world.ts'
import { libp2pSettings } from './libp2p-settings.ts'
import { tracemeshInternal } from './service.ts'

leakCheck()

const { tracer, spansNamed: named } = appTracing()
const body = Uint8Array.of(1)

async function app(seeds: readonly string[]) {
  const { telemetry, spans } = recordingTelemetry()
  const lines: Record<string, unknown>[] = []
  const logger = createLogger({ level: 'warn', destination: { write: (line) => lines.push(JSON.parse(line)) } })
  const { services: _, ...settings } = libp2pSettings({
    privateKey: await generateKeyPair('Ed25519'),
    listen: [listenOn.tcp],
  })
  const services = {
    identify: identify(),
    pubsub: gossipsub(),
    tracemesh: tracemeshInternal({ telemetry, logger, seeds }),
  }
  const libp2p = await createLibp2p({ ...settings, services })
  const { tracemesh: mesh, pubsub } = libp2p.services
  return { libp2p, mesh, pubsub, lines, spansNamed: (name: string) => spans.filter(({ span }) => span === name) }
}

type App = Awaited<ReturnType<typeof app>>

/** Runs with two linked applications. */
async function withLinkedApps(run: (here: App, there: App) => Promise<void>): Promise<void> {
  const there = await app([])
  const here = await app([String(there.libp2p.getMultiaddrs()[0])])
  try {
    await until(() => here.mesh.topology().peers.some(({ kind }) => kind === 'member'), 30_000, 'a link')
    await run(here, there)
  } finally {
    await Promise.all([here.libp2p.stop(), there.libp2p.stop()])
  }
}

test('spans of two applications join one trace: publish and handler, request and responder', () =>
  withLinkedApps(async (here, there) => {
    there.mesh.subscribe('news', async () => {
      await null
      tracer.startSpan('handle').end()
    })
    there.mesh.respond('sum', async () => {
      await null
      tracer.startSpan('respond').end()
      return body
    })
    await until(() => here.pubsub.getSubscribers('mesh-a/news').length > 0, 30_000, 'a subscriber')
    await tracer.startActiveSpan('publish', async (span) => {
      await here.mesh.publish('news', body)
      span.end()
    })
    await tracer.startActiveSpan('request', async (span) => {
      await here.mesh.request(there.mesh.peer, 'sum', body)
      span.end()
    })
    await until(() => named('handle').length > 0, 30_000, 'the message')

    const [publish, handle, request, respond] = ['publish', 'handle', 'request', 'respond'].map(
      (name) => named(name)[0],
    )
    assert.equal(handle?.spanContext().traceId, publish?.spanContext().traceId)
    assert.equal(handle?.parentSpanContext?.spanId, publish?.spanContext().spanId)
    assert.deepEqual(there.spansNamed('mesh.message.received')[0]?.links, [
      { traceId: publish?.spanContext().traceId, spanId: publish?.spanContext().spanId },
    ])

    const [sent] = here.spansNamed('mesh.request.sent')
    const [handled] = there.spansNamed('mesh.request.handled')
    assert.equal(sent?.parent?.spanId, request?.spanContext().spanId)
    assert.deepEqual(handled?.parent, sent?.ref)
    assert.equal(respond?.parentSpanContext?.spanId, handled?.ref?.spanId)
    assert.equal(respond?.spanContext().traceId, request?.spanContext().traceId)
  }))

test('a failing request handler: error spans on both ends, and a log line in the trace of the request', () =>
  withLinkedApps(async (here, there) => {
    there.mesh.respond('broken', () => {
      throw new TypeError('the shelf is empty')
    })
    there.mesh.respond('long', () => new Uint8Array(60_001))
    const request = (topic: string) => here.mesh.request(there.mesh.peer, topic, body)
    await assert.rejects(request('broken'), { code: 'MESH_REQUEST_FAILED' })
    await assert.rejects(request('long'), /60001 bytes exceeds the limit/)
    const [sent] = here.spansNamed('mesh.request.sent')
    const [handled] = there.spansNamed('mesh.request.handled')
    assert.deepEqual([sent?.failed, handled?.failed], [true, true])
    const errors = [sent, handled].map((span) => span?.attributes as { readonly 'error.type'?: string } | undefined)
    assert.deepEqual(
      errors.map((attributes) => attributes?.['error.type']),
      ['handler-failed', 'TypeError'],
    )
    const [line] = there.lines
    assert.deepEqual(
      [line?.['msg'], line?.['topic'], line?.['peer'], line?.['trace_id']],
      ['a request handler failed', 'broken', here.mesh.peer, sent?.ref?.traceId],
    )
  }))
