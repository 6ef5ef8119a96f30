import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gossipsub } from '@chainsafe/libp2p-gossipsub'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { identify } from '@libp2p/identify'
import { createLibp2p } from 'libp2p'
import { appTracing } from '../testing/app-tracing.ts'
import { keptTelemetry } from '../testing/kept-telemetry.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { listenOn } from '../testing/real-world.ts'
import { until } from '../testing/until.ts'
import { tracemesh } from './index.ts'
import { libp2pSettings } from './libp2p-settings.ts'

leakCheck()

const { tracer, named } = appTracing()
const body = Uint8Array.of(1)

async function app(seeds: readonly string[]) {
  const { telemetry, told } = keptTelemetry()
  const { services: _, ...settings } = libp2pSettings({
    privateKey: await generateKeyPair('Ed25519'),
    listen: [listenOn.tcp],
  })
  const services = { identify: identify(), pubsub: gossipsub(), tracemesh: tracemesh({ telemetry, seeds }) }
  const libp2p = await createLibp2p({ ...settings, services })
  return { libp2p, mesh: libp2p.services.tracemesh, told: (name: string) => told.filter(({ span }) => span === name) }
}

test('spans of an application join across the mesh: publish and handler, request and responder', async () => {
  const there = await app([])
  const here = await app([String(there.libp2p.getMultiaddrs()[0])])
  try {
    there.mesh.subscribe('news', async () => {
      await null
      tracer.startSpan('handle').end()
    })
    there.mesh.respond('sum', async () => {
      await null
      tracer.startSpan('respond').end()
      return body
    })
    await until(() => here.mesh.topology().peers.some(({ kind }) => kind === 'member'), 8_000, 'a link')
    await until(() => here.libp2p.services.pubsub.getSubscribers('mesh-a/news').length > 0, 4_000, 'a subscriber')
    await tracer.startActiveSpan('publish', async (span) => {
      await here.mesh.publish('news', body)
      span.end()
    })
    await tracer.startActiveSpan('request', async (span) => {
      await here.mesh.request(there.mesh.peer, 'sum', body)
      span.end()
    })
    await until(() => named('handle').length > 0, 4_000, 'the message')

    const [publish, handle, request, respond] = ['publish', 'handle', 'request', 'respond'].map(
      (name) => named(name)[0],
    )
    assert.equal(handle?.spanContext().traceId, publish?.spanContext().traceId)
    assert.equal(handle?.parentSpanContext?.spanId, publish?.spanContext().spanId)
    assert.deepEqual(there.told('mesh.message.received')[0]?.links, [
      { traceId: publish?.spanContext().traceId, spanId: publish?.spanContext().spanId },
    ])

    const [sent] = here.told('mesh.request.sent')
    const [handled] = there.told('mesh.request.handled')
    assert.equal(sent?.parent?.spanId, request?.spanContext().spanId)
    assert.deepEqual(handled?.parent, sent?.ref)
    assert.equal(respond?.parentSpanContext?.spanId, handled?.ref?.spanId)
    assert.equal(respond?.spanContext().traceId, request?.spanContext().traceId)
  } finally {
    await Promise.all([here.libp2p.stop(), there.libp2p.stop()])
  }
})
