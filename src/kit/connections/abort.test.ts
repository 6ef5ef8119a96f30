import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { describe, test } from 'node:test'
import { until } from '../../processes/waiting.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { type App, withLinkedApps } from '../../testing/suite/mesh-app.ts'
import { collectNative, listenOn } from '../../testing/suite/real-world.ts'

collectNative()
leakCheck()

const protocol = '/tracemesh/request/1.0.0'
const data = Uint8Array.of(1, 2, 3)

const requestStreams = ({ libp2p }: App) =>
  libp2p.getConnections().flatMap(({ streams }) => streams.filter((stream) => stream.protocol === protocol))

for (const [transport, listen] of Object.entries(listenOn))
  describe(`an aborted request over ${transport}`, () => {
    const withApps = (run: (one: App, other: App) => Promise<void>) => withLinkedApps([{}, {}], run, { listen })

    test('in flight: rejects at once with the reason, and both ends lose the stream', () =>
      withApps(async (one, other) => {
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
        assert.deepEqual([requestStreams(one).length, requestStreams(other).length], [1, 1])
        const late = AbortSignal.timeout(500)
        controller.abort()
        await assert.rejects(response, (error) => error === controller.signal.reason)
        assert.equal(late.aborted, false, 'rejects at once')
        await until(() => requestStreams(one).length === 0, 30_000, 'no stream at the requester')
        release()
        await until(() => requestStreams(other).length === 0, 30_000, 'no stream at the responder')
        const [sent] = one.spansNamed('mesh.request.sent')
        assert.deepEqual([sent?.failed, sent?.attributes['error.type']], [true, 'AbortError'])
        assert.equal(getEventListeners(controller.signal, 'abort').length, 0)
      }))

    test('negative control: without an abort a signal changes nothing, and keeps no listener', () =>
      withApps(async (one, other) => {
        const { signal } = new AbortController()
        other.mesh.respond('echo', ({ data }) => data)
        const echo = await one.mesh.request(other.mesh.peer, 'echo', data, { signal })
        assert.deepEqual(Uint8Array.from(echo), data)
        const noHandler = one.mesh.request(other.mesh.peer, 'unknown', data, { signal })
        await assert.rejects(noHandler, { code: 'MESH_REQUEST_FAILED' })
        await until(() => requestStreams(one).length === 0, 30_000, 'no stream')
        await until(() => getEventListeners(signal, 'abort').length === 0, 30_000, 'no listener')
      }))
  })

test('a signal that has aborted already: request and publish reject with its reason, and send nothing', () =>
  withLinkedApps([{}, {}], async (one, other) => {
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
