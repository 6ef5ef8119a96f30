import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type Identify, identify } from '@libp2p/identify'
import { type Connection, serviceCapabilities, serviceDependencies } from '@libp2p/interface'
import { lpStream } from '@libp2p/utils'
import { createLibp2p } from 'libp2p'
import { until } from '../processes/waiting.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { recordingTelemetry } from '../testing/otlp/recording-telemetry.ts'
import {
  type App,
  areLinked,
  createApp,
  loopbackSettings,
  startApp,
  withLinkedApps,
} from '../testing/suite/mesh-app.ts'
import { setEnvironment } from '../testing/surroundings.ts'
import { digestTopic } from './gossip/gossip-channel.ts'
import { gossipInternals } from './gossip/gossip-internals.ts'
import type { MeshMessage } from './index.ts'
import type { InternalInit } from './init.ts'
import { tracemeshInternal } from './service.ts'
import { stopAccount } from './stop-report.ts'

leakCheck()

const bytes = (text: string) => new TextEncoder().encode(text)
const text = (data: Uint8Array) => new TextDecoder().decode(data)

const two = [{ sweepMs: 1_000 }, { sweepMs: 1_000 }] as const
const hasMember = (one: App, other: App) => one.mesh.topology().members.some(({ peer }) => peer === other.mesh.peer)

describe('a start with an unusable pubsub service fails', () => {
  const cases: readonly [string, InternalInit, string][] = [
    ['a pubsub service without the methods', {}, 'MESH_PUBSUB_UNUSABLE'],
    ['a missing pubsub service that `services` names', { services: { pubsub: 'gossip' } }, 'MESH_SERVICE_MISSING'],
  ]
  for (const [situation, init, code] of cases) {
    test(`${situation}: libp2p stays stopped, with the reason`, async () => {
      await using app = await createApp(init, { services: { pubsub: () => ({ subscribe() {} }) } })
      await assert.rejects(async () => app.libp2p.start(), { code })
      assert.deepEqual([app.libp2p.status, app.libp2p.getMultiaddrs()], ['stopped', []])
    })
  }
})

describe('a stop', () => {
  test('a member without a link to the node hears its goodbye over gossip, and does not wait for its silence', () =>
    withLinkedApps(Array(3).fill({ neighbours: 0, gossipDigestMs: 500 }), async (hub, leaver, other) => {
      await until(() => hasMember(other, leaver), 20_000, 'the member without a link')
      // The first seconds of gossip go by before it has a way from end to end.
      const gossipMesh = gossipInternals(hub.pubsub)?.mesh
      const hasWay = () =>
        [leaver, other].every(({ mesh }) => gossipMesh?.get(digestTopic('mesh-a'))?.has(mesh.peer) === true)
      await until(hasWay, 20_000, 'gossip from end to end')
      assert.equal(areLinked(other, leaver), false)
      await leaver.libp2p.stop()
      const isGone = () => !hasMember(other, leaver)
      await until(isGone, 10_000, 'the goodbye')
      const [left, ...more] = other.spansNamed('mesh.member.left')
      assert.deepEqual(
        [left?.attributes['mesh.peer.id'], left?.attributes['mesh.member.via']],
        [leaver.mesh.peer, 'gossip'],
      )
      assert.deepEqual(more, [])
    }))
})

describe('the mesh service follows the start and stop of libp2p', () => {
  test('a subscribe before the start or after the stop throws MESH_NOT_STARTED', async () => {
    const { libp2p, mesh } = await createApp()
    const assertNotStarted = () => assert.throws(() => mesh.subscribe('news', () => {}), { code: 'MESH_NOT_STARTED' })
    assertNotStarted()
    await libp2p.start()
    mesh.subscribe('news', () => {})
    await libp2p.stop()
    assertNotStarted()
  })

  test('a stop with a subscription closes all resources of the node without an error', () =>
    withLinkedApps(two, async (one, other) => {
      one.mesh.subscribe('news', () => {})
      await one.libp2p.stop()
      const { steps, expected, held } = stopAccount(one.mesh.closing)
      const names = steps.map(({ name }) => name)
      for (const name of ['subscriptions', 'network', 'peers']) assert.ok(names.includes(name), `${name} of ${names}`)
      assert.deepEqual(
        expected.filter((name) => !names.includes(name)),
        [],
      )
      const failed = steps.filter(({ error }) => error !== undefined)
      assert.deepEqual([failed, held, one.mesh.heldByLibp2p()], [[], [], []])
      await until(() => !other.isLinkedTo(one), 30_000, 'the other end unlinked')
      // The service emits its steps only with its own telemetry.
      assert.equal(one.spansNamed('mesh.node.step').length, 0)
    }))

  test('a restarted node joins again with a higher incarnation and no earlier state', () =>
    withLinkedApps(two, async (one, other) => {
      one.mesh.subscribe('news', () => {})
      await one.libp2p.stop()
      await until(() => !other.isLinkedTo(one) && !hasMember(other, one), 30_000, 'the other end unlinked')
      assert.equal(other.spansNamed('mesh.goodbye.received')[0]?.attributes['mesh.goodbye.reason'], 'stopping')
      await one.libp2p.start()
      assert.deepEqual(one.mesh.topology().peers, [])
      const registry = one.mesh.inventory().registries.find(({ name }) => name === 'subscriptions')
      assert.equal(registry?.size, 0)
      await one.dial(other)
      await until(() => areLinked(one, other), 30_000, 'linked again')
      await until(() => hasMember(one, other) && hasMember(other, one), 30_000, 'members again')
      const incarnations = one
        .spansNamed('mesh.node.started')
        .map(({ attributes }) => attributes['mesh.node.incarnation'])
      assert.ok((incarnations[1] ?? 0) > (incarnations[0] ?? Infinity), incarnations.join(' '))
    }))
})

describe('publish and subscribe', () => {
  test('a message published right after the link reaches the other node, with the trace of the publish', () =>
    withLinkedApps(two, async (one, other) => {
      const received: MeshMessage[] = []
      other.mesh.subscribe('news', (message) => received.push(message))
      await until(() => one.pubsub.getSubscribers('mesh-a/news').length === 1, 30_000, 'a subscriber')
      const { recipients } = await one.mesh.publish('news', bytes('hello'))
      assert.equal(recipients, 1)
      await until(() => received.length > 0, 30_000, 'the message')
      const [message] = received
      assert.equal(message && text(message.data), 'hello')
      assert.equal(message?.from, one.mesh.peer)
      const published = one.spansNamed('mesh.message.published')[0]
      assert.equal(message?.trace?.spanId, published?.ref?.spanId)
      const receivedSpan = other.spansNamed('mesh.message.received')[0]
      const linked = receivedSpan?.links?.map(({ spanId }) => spanId)
      assert.deepEqual(linked, [published?.ref?.spanId])
      assert.equal(receivedSpan?.attributes['mesh.message.id'], published?.attributes['mesh.message.id'])
      // Both ends share one clock: lateness is only the transit time.
      const lateness = receivedSpan?.attributes['mesh.message.lateness_ms'] ?? -1
      assert.ok(lateness >= 0 && lateness < 4_000, `late by ${lateness} ms`)
    }))

  test('without peers: no recipients; too long or not to be sealed: an error, and nothing is sent', async () => {
    await using one = await startApp({ messageBytes: 100 })
    const refuse = (topic: string, data: Uint8Array, code: string) =>
      assert.rejects(one.mesh.publish(topic, data, { cross: true }), { code })
    await refuse('news', new Uint8Array(101), 'MESH_MESSAGE_TOO_LARGE')
    await refuse('t'.repeat(256), bytes('hello'), 'MESH_MESSAGE_INVALID')
    assert.deepEqual([one.mesh.messages(), one.spansNamed('mesh.message.published')], [[], []])
    assert.deepEqual(await one.mesh.publish('news', bytes('hello')), { recipients: 0 })
  })

  test('after the last handler unsubscribes, the node receives no message of the topic', () =>
    withLinkedApps(two, async (one, other) => {
      const received: string[] = []
      const end = other.mesh.subscribe('news', ({ data }) => received.push(text(data)))
      const subscribers = () => one.pubsub.getSubscribers('mesh-a/news').length
      await until(() => subscribers() === 1, 30_000, 'a subscriber')
      end()
      await until(() => subscribers() === 0, 30_000, 'no subscriber')
      await one.mesh.publish('news', bytes('hello'))
      assert.deepEqual(received, [])
    }))

  test('without gossipsub a node links and sends requests; publish and subscribe throw', () =>
    withLinkedApps(
      two,
      async (one, other) => {
        const error = { code: 'MESH_SERVICE_MISSING' }
        assert.throws(() => one.mesh.subscribe('news', () => {}), error)
        await assert.rejects(one.mesh.publish('news', bytes('hello')), error)
        other.mesh.respond('echo', ({ data }) => data)
        assert.equal(text(await one.mesh.request(other.mesh.peer, 'echo', bytes('hello'))), 'hello')
      },
      { gossip: false },
    ))
})

describe('request and respond', () => {
  test('a request resolves with the response, or rejects with the cause at the peer or here', () =>
    withLinkedApps(two, async (one, other) => {
      const request = (topic: string, data = bytes('you')) => one.mesh.request(other.mesh.peer, topic, data)
      const fails = (response: Promise<unknown>, message: RegExp) =>
        assert.rejects(response, { code: 'MESH_REQUEST_FAILED', message })
      const end = other.mesh.respond('greet', ({ data, from }) => bytes(`hello ${text(data)}, ${from}`))
      assert.equal(text(await request('greet')), `hello you, ${one.mesh.peer}`)
      other.mesh.respond('broken', () => {
        throw new Error('the shelf is empty')
      })
      await fails(request('broken'), /the shelf is empty/)
      await fails(request('unknown'), /no handler for topic/)
      end()
      await fails(request('greet'), /no handler for topic/)
      await assert.rejects(request('greet', new Uint8Array(60_001)), { code: 'MESH_MESSAGE_TOO_LARGE' })
      await assert.rejects(one.mesh.request('no peer', 'greet', bytes('')), { code: 'MESH_NO_LINK' })
      other.mesh.respond('never', () => new Promise(() => {}))
      await fails(one.mesh.request(other.mesh.peer, 'never', bytes(''), { timeoutMs: 100 }), /./)
    }))

  test('a request of a guest is refused without a call of the handler', async () => {
    await using one = await startApp()
    await using guest = await startApp()
    await guest.libp2p.unhandle('/tracemesh/link/1.0.0')
    const connection = await one.dial(guest)
    await until(() => one.spansNamed('mesh.connection.guest').length > 0, 30_000, 'a guest')
    let handlerCalls = 0
    one.mesh.respond('greet', () => bytes(`${++handlerCalls}`))
    const guestConnection = guest.libp2p.getConnections(one.libp2p.peerId)[0]
    assert.equal(connection.status, 'open')
    const stream = await guestConnection?.newStream('/tracemesh/request/1.0.0')
    assert.ok(stream)
    const wire = lpStream(stream)
    await wire.writeV([bytes('greet'), bytes('me')])
    const answer = (await wire.read()).subarray()
    assert.match(text(answer.subarray(1)), /not a member/)
    assert.equal(handlerCalls, 0)
  })
})

test('two nodes of different meshes refuse each other, and both ends emit the reason', async () => {
  await using one = await startApp({ mesh: 'mesh-a' })
  await using other = await startApp({ mesh: 'mesh-b' })
  await one.dial(other)
  const refusals = () => [one, other].map((end) => end.spansNamed('mesh.link.refused').length)
  await until(() => refusals().every((count) => count > 0), 30_000, 'refusals')
  await until(() => one.mesh.peers === 0 && other.mesh.peers === 0, 30_000, 'apart')
  for (const end of [one, other]) {
    const reasons = end.spansNamed('mesh.link.refused').map(({ attributes }) => attributes['mesh.close.reason'])
    assert.deepEqual(new Set(reasons), new Set(['foreign-mesh']))
    assert.deepEqual(end.spansNamed('mesh.member.joined'), [])
  }
})

test('a full node refuses a further peer, and both ends emit the reason in one trace', () =>
  withLinkedApps([{ connectionsHigh: 2, neighbours: 2 }, {}, {}], async (full, ...others) => {
    await using late = await startApp()
    await late.dial(full)
    const closed = (one: App) =>
      one.spansNamed('mesh.connection.closed').find(({ attributes }) => attributes['mesh.close.reason'] === 'limit')
    await until(() => closed(full) !== undefined && closed(late) !== undefined, 30_000, 'apart')
    assert.ok(closed(late)?.parent)
    assert.equal(closed(full)?.parent?.traceId, closed(late)?.parent?.traceId)
    assert.ok(others.every((other) => other.isLinkedTo(full)))
  }))

test('two bridges: one forwards each crossing message, once, and no other message', async () => {
  const bridge = { role: 'bridge', mesh: 'mesh-a', bridgeTo: 'mesh-b', gossipDigestMs: 500 } as const
  await using from = await startApp({ mesh: 'mesh-a' })
  await using to = await startApp({ mesh: 'mesh-b' })
  await using left = await startApp(bridge)
  await using right = await startApp(bridge)
  const received: string[] = []
  to.mesh.subscribe('news', ({ data, from: origin, hops }) => received.push(`${text(data)} ${origin} ${hops}`))
  const onBridges: string[] = []
  for (const one of [left, right]) one.mesh.subscribe('news', ({ data }) => onBridges.push(text(data)))
  const pairs = [left, right].flatMap((one) => [[one, from] as const, [one, to] as const])
  await Promise.all([...pairs.map(([one, other]) => one.dial(other)), left.dial(right)])
  await until(() => [...pairs, [left, right] as const].every((pair) => areLinked(...pair)), 30_000, 'links')
  const areBridgesKnown = () => [left, right].every((one) => one.mesh.topology().members.length >= 3)
  await until(areBridgesKnown, 30_000, 'bridges that know of each other')
  await from.mesh.publish('news', bytes('stays'))
  await from.mesh.publish('news', bytes('crosses'), { cross: true })
  await from.mesh.publish('unsubscribed', bytes('crosses'), { cross: true })
  await until(() => received.length > 0, 30_000, 'the message')
  // The other bridge would take over after 2 s, unless it has seen the crossing.
  const takeoverEnd = performance.now() + 3_000
  await until(() => performance.now() >= takeoverEnd, 30_000, 'the takeover delay')
  assert.deepEqual(received, [`crosses ${from.mesh.peer} 1`])
  // A bridge is in both meshes: it delivers the published message once, and not its crossing copy.
  assert.deepEqual(onBridges.toSorted(), ['crosses', 'crosses', 'stays', 'stays'])
  assert.equal(left.spansNamed('mesh.bridge.forwarded').length + right.spansNamed('mesh.bridge.forwarded').length, 2)
  assert.ok(to.mesh.messages().every(({ topic }) => topic === 'news'))
})

test('unsupported OpenTelemetry variables: the mesh starts, and warns that it exports nothing', async (t) => {
  setEnvironment(t, { OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf' })
  const warnings: Error[] = []
  const onWarning = (warning: Error) => void warnings.push(warning)
  process.on('warning', onWarning)
  t.after(() => process.off('warning', onWarning))
  await using _ = await startApp({ telemetry: undefined } as unknown as InternalInit)
  await until(() => warnings.some(({ name }) => name === 'TracemeshWarning'), 30_000, 'the warning')
  const text = warnings.map(({ message }) => message).join()
  assert.match(text, /not exported: OTEL_EXPORTER_OTLP_PROTOCOL is "http\/protobuf"/)
})

test('a service stopped while its telemetry loads does not start', async () => {
  const { mesh } = await createApp({ telemetry: undefined, otlp: 'off' } as unknown as InternalInit)
  const starting = mesh.afterStart()
  await mesh.stop()
  await starting
  assert.throws(() => mesh.inventory(), { code: 'MESH_NOT_STARTED' })
})

type Services = Record<string, (components: never) => unknown>

/** Creates and starts an application with these services beside the mesh. */
async function start(services: Services, init: InternalInit = {}) {
  const mesh = tracemeshInternal({ telemetry: recordingTelemetry().telemetry, ...init })
  const libp2p = await createLibp2p({ ...(await loopbackSettings()), services: { ...services, tracemesh: mesh } })
  try {
    await libp2p.start()
    return libp2p.services.tracemesh
  } finally {
    await libp2p.stop()
  }
}

describe('libp2p checks the services at creation', () => {
  test('without identify: libp2p refuses to create the node, and names the mesh and the capability', async () => {
    await assert.rejects(start({}), {
      name: 'UnmetServiceDependenciesError',
      message: /"tracemesh" required capability "@libp2p\/identify"/,
    })
  })

  test('identify under another name, with `services.identify`: the node starts', async () => {
    await start({ whoami: identify() as Services[string] }, { services: { identify: 'whoami' } })
  })

  test('identify under another name, without `services.identify`: the start fails with the remedy', async () => {
    await assert.rejects(start({ whoami: identify() as Services[string] }), {
      code: 'MESH_SERVICE_MISSING',
      message: /set `services\.identify`/,
    })
  })

  test('an identify service of the application that declares no capability: the node starts', async () => {
    const wrapped = (components: never) => {
      const inner = identify()(components) as Identify
      return { identify: (connection: Connection) => inner.identify(connection) }
    }
    await start({ identify: wrapped })
  })

  test('another service may depend on the mesh', async () => {
    const dependant = () => ({ [serviceDependencies]: ['@tracemesh/mesh'] })
    const mesh = await start({ identify: identify() as Services[string], dependant })
    assert.deepEqual(mesh[serviceCapabilities], ['@tracemesh/mesh'])
    const alone = createLibp2p({ ...(await loopbackSettings()), services: { identify: identify(), dependant } })
    await assert.rejects(alone, { name: 'UnmetServiceDependenciesError' })
  })
})
