import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { describe, test } from 'node:test'
import { gossipsub } from '@chainsafe/libp2p-gossipsub'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { identify } from '@libp2p/identify'
import { createLibp2p } from 'libp2p'
import type { SpanEffect } from '../catalogue/span-effect.ts'
import { isMeshError } from '../core/errors.ts'
import { until } from '../processes/waiting.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { recordingTelemetry } from '../testing/otlp/recording-telemetry.ts'
import { collectNative, listenOn } from '../testing/suite/real-world.ts'
import { libp2pSettings } from './libp2p-settings.ts'
import { tracemeshInternal } from './service.ts'

collectNative()
leakCheck()

const protocol = '/tracemesh/request/1.0.0'
const data = Uint8Array.of(1, 2, 3)

type App = Awaited<ReturnType<typeof createApp>>

async function createApp(listen: string) {
  const { telemetry, spans } = recordingTelemetry()
  const privateKey = await generateKeyPair('Ed25519')
  const { services: _, ...settings } = libp2pSettings({ privateKey, listen: [listen] })
  const services = { identify: identify(), pubsub: gossipsub(), tracemesh: tracemeshInternal({ telemetry }) }
  const libp2p = await createLibp2p({ ...settings, services })
  const requestStreams = () =>
    libp2p.getConnections().flatMap(({ streams }) => streams.filter((stream) => stream.protocol === protocol))
  return { libp2p, mesh: libp2p.services.tracemesh, spans: spans as readonly SpanEffect[], requestStreams }
}

async function withLinkedApps(listen: string, run: (one: App, other: App) => Promise<void>): Promise<void> {
  const [one, other] = [await createApp(listen), await createApp(listen)]
  try {
    await one.libp2p.dial(other.libp2p.getMultiaddrs())
    const isLinked = ({ mesh }: App) => mesh.topology().peers.some(({ kind }) => kind === 'member')
    await until(() => isLinked(one) && isLinked(other), 30_000, 'a link')
    await run(one, other)
  } finally {
    await Promise.all([one.libp2p.stop(), other.libp2p.stop()])
  }
}

for (const [transport, listen] of Object.entries(listenOn))
  describe(`an aborted request over ${transport}`, () => {
    test('in flight: rejects at once with the reason, and both ends lose the stream', () =>
      withLinkedApps(listen, async (one, other) => {
        const controller = new AbortController()
        let release = () => {}
        const handling = new Promise<void>((called) => {
          other.mesh.respond('never', () => {
            called()
            return new Promise((resolve) => {
              release = () => resolve(data)
            })
          })
        })
        const response = one.mesh.request(other.mesh.peer, 'never', data, { signal: controller.signal })
        await handling
        assert.deepEqual([one.requestStreams().length, other.requestStreams().length], [1, 1])
        const late = AbortSignal.timeout(500)
        controller.abort()
        await assert.rejects(response, (error) => error === controller.signal.reason)
        assert.equal(late.aborted, false, 'rejects at once')
        await until(() => one.requestStreams().length === 0, 30_000, 'no stream at the requester')
        release()
        await until(() => other.requestStreams().length === 0, 30_000, 'no stream at the responder')
        const sent = one.spans.find(({ span }) => span === 'mesh.request.sent')
        assert.deepEqual([sent?.failed, Object(sent?.attributes)['error.type']], [true, 'AbortError'])
        assert.equal(getEventListeners(controller.signal, 'abort').length, 0)
      }))

    test('negative control: without an abort a signal changes nothing, and keeps no listener', () =>
      withLinkedApps(listen, async (one, other) => {
        const { signal } = new AbortController()
        other.mesh.respond('echo', ({ data }) => data)
        const echo = await one.mesh.request(other.mesh.peer, 'echo', data, { signal })
        assert.deepEqual(Uint8Array.from(echo), data)
        const noHandler = one.mesh.request(other.mesh.peer, 'unknown', data, { signal })
        await assert.rejects(noHandler, (error) => isMeshError(error, 'MESH_REQUEST_FAILED'))
        await until(() => one.requestStreams().length === 0, 30_000, 'no stream')
        await until(() => getEventListeners(signal, 'abort').length === 0, 30_000, 'no listener')
      }))
  })

test('a signal that has aborted already: request and publish reject with its reason, and send nothing', () =>
  withLinkedApps(listenOn.tcp, async (one, other) => {
    const reason = new Error('the user left')
    const signal = AbortSignal.abort(reason)
    let calls = 0
    other.mesh.respond('count', () => {
      calls++
      return data
    })
    const isReason = (error: unknown) => error === reason
    await assert.rejects(one.mesh.request(other.mesh.peer, 'count', data, { signal }), isReason)
    await assert.rejects(one.mesh.request('unknown peer', 'count', data, { signal }), isReason)
    await assert.rejects(one.mesh.publish('news', data, { signal }), isReason)
    assert.deepEqual(one.mesh.messages(), [])
    await one.mesh.publish('news', data, { signal: new AbortController().signal })
    assert.equal(one.mesh.messages().length, 1)
    assert.equal(calls, 0)
  }))
