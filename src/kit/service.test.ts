import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { gossipsub } from '@chainsafe/libp2p-gossipsub'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { identify } from '@libp2p/identify'
import { lpStream } from '@libp2p/utils'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import type { SpanEffect } from '../catalogue/span-effect.ts'
import type { SpanName } from '../catalogue/spans.ts'
import { isMeshError } from '../core/errors.ts'
import { until } from '../processes/waiting.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { recordingTelemetry } from '../testing/otlp/recording-telemetry.ts'
import { listenOn } from '../testing/suite/real-world.ts'
import type { MeshMessage } from './index.ts'
import type { InternalInit } from './init.ts'
import { libp2pSettings } from './libp2p-settings.ts'
import { tracemeshInternal } from './service.ts'

leakCheck()

const bytes = (text: string) => new TextEncoder().encode(text)
const text = (data: Uint8Array) => new TextDecoder().decode(data)

type App = Awaited<ReturnType<typeof app>>

/** An application on loopback TCP, not started yet. */
async function app(init: InternalInit = {}, { gossip = true } = {}) {
  const { telemetry, spans } = recordingTelemetry()
  const { services: _, ...settings } = libp2pSettings({
    privateKey: await generateKeyPair('Ed25519'),
    listen: [listenOn.tcp],
  })
  const service = tracemeshInternal({ telemetry, sweepMs: 1_000, ...init })
  const services = { identify: identify(), tracemesh: service, ...(gossip ? { pubsub: gossipsub() } : {}) }
  const libp2p = await createLibp2p({ ...settings, start: false, services })
  const mesh = libp2p.services.tracemesh
  return {
    libp2p,
    mesh,
    spansNamed: <N extends SpanName>(name: N) =>
      spans.filter((one): one is Extract<SpanEffect, { span: N }> => one.span === name),
    isLinkedTo: (other: { mesh: { peer: string } }) =>
      mesh.topology().peers.some(({ peer, kind }) => peer === other.mesh.peer && kind === 'member'),
    hasMember: (other: { mesh: { peer: string } }) =>
      mesh.topology().members.some(({ peer }) => peer === other.mesh.peer),
    dial: (other: { libp2p: typeof libp2p }) => libp2p.dial(multiaddr(String(other.libp2p.getMultiaddrs()[0]))),
  }
}

/** Runs with started applications; the first is linked to all others. */
async function withLinkedApps(
  inits: readonly InternalInit[],
  run: (...apps: [App, App, App]) => Promise<void>,
): Promise<void> {
  const apps = await Promise.all(inits.map((init) => app(init)))
  try {
    await Promise.all(apps.map((one) => one.libp2p.start()))
    const [first, ...others] = apps as [App, App, App]
    await Promise.all(others.map((other) => first.dial(other)))
    const all = () => others.every((other) => first.isLinkedTo(other) && other.isLinkedTo(first))
    await until(all, 30_000, 'links')
    await run(...(apps as [App, App, App]))
  } finally {
    await Promise.all(apps.map((one) => one.libp2p.stop()))
  }
}

const two = [{}, {}] as const

describe('a start with an unusable pubsub service fails', () => {
  const start = async (pubsub: object, init: InternalInit = {}) => {
    const { telemetry } = recordingTelemetry()
    const { services: _, ...settings } = libp2pSettings({
      privateKey: await generateKeyPair('Ed25519'),
      listen: [listenOn.tcp],
    })
    const services = {
      identify: identify(),
      pubsub: () => pubsub,
      tracemesh: tracemeshInternal({ telemetry, ...init }),
    }
    const libp2p = await createLibp2p({ ...settings, start: false, services })
    try {
      await libp2p.start()
      return 'started'
    } catch (error) {
      assert.deepEqual([libp2p.status, libp2p.getMultiaddrs()], ['stopped', []])
      return isMeshError(error, 'MESH_PUBSUB_UNUSABLE') || isMeshError(error, 'MESH_SERVICE_MISSING')
        ? error.code
        : error
    } finally {
      await libp2p.stop()
    }
  }

  test('a pubsub service without the methods: libp2p stays stopped, with the reason', async () => {
    assert.equal(await start({ subscribe() {} }), 'MESH_PUBSUB_UNUSABLE')
  })

  test('a missing pubsub service that `services` names: libp2p stays stopped', async () => {
    assert.equal(await start({ subscribe() {} }, { services: { pubsub: 'gossip' } }), 'MESH_SERVICE_MISSING')
  })
})

describe('the mesh service follows the start and stop of libp2p', () => {
  test('a subscribe before the start or after the stop throws MESH_NOT_STARTED', async () => {
    const { libp2p, mesh } = await app()
    const assertNotStarted = () =>
      assert.throws(
        () => mesh.subscribe('news', () => {}),
        (error) => isMeshError(error, 'MESH_NOT_STARTED'),
      )
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
      const { closed } = one.mesh
      const names = closed.map(({ name }) => name)
      for (const name of ['subscriptions', 'network', 'peers']) assert.ok(names.includes(name), `${name} of ${names}`)
      assert.deepEqual(
        closed.filter(({ error }) => error !== undefined),
        [],
      )
      await until(() => !other.isLinkedTo(one), 30_000, 'the other end unlinked')
      // The service emits its steps only with its own telemetry.
      assert.equal(one.spansNamed('mesh.node.step').length, 0)
    }))

  test('a restarted node joins again with a higher incarnation and no earlier state', () =>
    withLinkedApps(two, async (one, other) => {
      one.mesh.subscribe('news', () => {})
      await one.libp2p.stop()
      await until(() => !other.isLinkedTo(one) && !other.hasMember(one), 30_000, 'the other end unlinked')
      assert.equal(other.spansNamed('mesh.goodbye.received')[0]?.attributes['mesh.goodbye.reason'], 'stopping')
      await one.libp2p.start()
      assert.deepEqual(one.mesh.topology().peers, [])
      const registry = one.mesh.inventory().registries.find(({ name }) => name === 'subscriptions')
      assert.equal(registry?.size, 0)
      await one.dial(other)
      await until(() => one.isLinkedTo(other) && other.isLinkedTo(one), 30_000, 'linked again')
      await until(() => one.hasMember(other) && other.hasMember(one), 30_000, 'members again')
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
      await until(() => one.libp2p.services.pubsub?.getSubscribers('mesh-a/news').length === 1, 30_000, 'a subscriber')
      const { recipients } = await one.mesh.publish('news', bytes('hello'))
      assert.equal(recipients, 1)
      await until(() => received.length > 0, 30_000, 'the message')
      const [message] = received
      assert.equal(message && text(message.data), 'hello')
      assert.equal(message?.from, one.mesh.peer)
      const published = one.spansNamed('mesh.message.published')[0]
      assert.equal(message?.trace?.spanId, published?.ref?.spanId)
      const receivedSpan = other.spansNamed('mesh.message.received')[0]
      assert.deepEqual(
        receivedSpan?.links?.map(({ spanId }) => spanId),
        [published?.ref?.spanId],
      )
      assert.equal(receivedSpan?.attributes['mesh.message.id'], published?.attributes['mesh.message.id'])
      // Both ends share one clock: lateness is only the transit time.
      const lateness = receivedSpan?.attributes['mesh.message.lateness_ms'] ?? -1
      assert.ok(lateness >= 0 && lateness < 4_000, `late by ${lateness} ms`)
    }))

  test('messages published in one tick on two topics emit one span', async () => {
    const one = await app()
    await one.libp2p.start()
    await Promise.all(['news', 'news', 'weather'].map((topic) => one.mesh.publish(topic, bytes('hello'))))
    assert.equal(one.spansNamed('mesh.message.published').length, 1)
    await one.libp2p.stop()
  })

  test('a message that cannot be sealed to cross is not published', async () => {
    const one = await app()
    await one.libp2p.start()
    await assert.rejects(one.mesh.publish('t'.repeat(256), bytes('hello'), { cross: true }), (error) =>
      isMeshError(error, 'MESH_MESSAGE_INVALID'),
    )
    assert.deepEqual(one.mesh.messages(), [])
    assert.deepEqual(one.spansNamed('mesh.message.published'), [])
    await one.libp2p.stop()
  })

  test('a publish without peers succeeds with no recipients', async () => {
    const { libp2p, mesh } = await app()
    await libp2p.start()
    assert.deepEqual(await mesh.publish('news', bytes('hello')), { recipients: 0 })
    await libp2p.stop()
  })

  test('after the last handler unsubscribes, the node receives no message of the topic', () =>
    withLinkedApps(two, async (one, other) => {
      const received: string[] = []
      const end = other.mesh.subscribe('news', ({ data }) => received.push(text(data)))
      const subscribers = () => one.libp2p.services.pubsub?.getSubscribers('mesh-a/news').length
      await until(() => subscribers() === 1, 30_000, 'a subscriber')
      end()
      await until(() => subscribers() === 0, 30_000, 'no subscriber')
      await one.mesh.publish('news', bytes('hello'))
      assert.deepEqual(received, [])
    }))

  test('a handler that throws does not affect the others', () =>
    withLinkedApps(two, async (one, other) => {
      const received: string[] = []
      other.mesh.subscribe('news', () => {
        throw new Error('the application’s own')
      })
      other.mesh.subscribe('news', ({ data }) => received.push(text(data)))
      await until(() => one.libp2p.services.pubsub?.getSubscribers('mesh-a/news').length === 1, 30_000, 'a subscriber')
      await one.mesh.publish('news', bytes('hello'))
      await until(() => received.length === 1, 30_000, 'the message')
    }))

  test('a publish above the limit throws before it sends', async () => {
    const { libp2p, mesh } = await app({ messageBytes: 100 })
    await libp2p.start()
    await assert.rejects(mesh.publish('news', new Uint8Array(101)), (error) =>
      isMeshError(error, 'MESH_MESSAGE_TOO_LARGE'),
    )
    await libp2p.stop()
  })

  test('without gossipsub a node links and sends requests; publish and subscribe throw', async () => {
    const [one, other] = await Promise.all([app({}, { gossip: false }), app({}, { gossip: false })])
    await Promise.all([one.libp2p.start(), other.libp2p.start()])
    await one.dial(other)
    await until(() => one.isLinkedTo(other) && other.isLinkedTo(one), 30_000, 'a link')
    const isServiceMissing = (error: unknown) => isMeshError(error, 'MESH_SERVICE_MISSING')
    assert.throws(() => one.mesh.subscribe('news', () => {}), isServiceMissing)
    await assert.rejects(async () => one.mesh.publish('news', bytes('hello')), isServiceMissing)
    other.mesh.respond('echo', ({ data }) => data)
    assert.equal(text(await one.mesh.request(other.mesh.peer, 'echo', bytes('hello'))), 'hello')
    await Promise.all([one.libp2p.stop(), other.libp2p.stop()])
  })
})

describe('request and respond', () => {
  test('a request resolves with the response, or rejects with the cause at the peer', () =>
    withLinkedApps(two, async (one, other) => {
      const request = (topic: string, data = bytes('you')) => one.mesh.request(other.mesh.peer, topic, data)
      const fails = (response: Promise<unknown>, cause: RegExp) =>
        assert.rejects(response, (error) => {
          assert.ok(isMeshError(error, 'MESH_REQUEST_FAILED'))
          assert.match(error.detail.cause, cause)
          return true
        })
      const end = other.mesh.respond('greet', ({ data, from }) => bytes(`hello ${text(data)}, ${from}`))
      assert.equal(text(await request('greet')), `hello you, ${one.mesh.peer}`)
      other.mesh.respond('broken', () => {
        throw new Error('the shelf is empty')
      })
      await fails(request('broken'), /the shelf is empty/)
      await fails(request('unknown'), /no handler for topic/)
      end()
      await fails(request('greet'), /no handler for topic/)
      await assert.rejects(request('greet', new Uint8Array(60_001)), (error) =>
        isMeshError(error, 'MESH_MESSAGE_TOO_LARGE'),
      )
      other.mesh.respond('never', () => new Promise(() => {}))
      await fails(one.mesh.request(other.mesh.peer, 'never', bytes(''), { timeoutMs: 100 }), /./)
    }))

  test('a request of a guest is refused without a call of the handler', async () => {
    const [one, guest] = await Promise.all([app(), app()])
    await Promise.all([one.libp2p.start(), guest.libp2p.start()])
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
    await Promise.all([one.libp2p.stop(), guest.libp2p.stop()])
  })

  test('a request to a peer without a link throws MESH_NO_LINK', async () => {
    const [one, other] = await Promise.all([app(), app()])
    await one.libp2p.start()
    await assert.rejects(one.mesh.request(other.mesh.peer, 'greet', bytes('')), (error) =>
      isMeshError(error, 'MESH_NO_LINK'),
    )
    await one.libp2p.stop()
  })
})

test('two nodes of different meshes refuse each other, and both ends emit the reason', async () => {
  const [one, other] = await Promise.all([app({ mesh: 'mesh-a' }), app({ mesh: 'mesh-b' })])
  await Promise.all([one.libp2p.start(), other.libp2p.start()])
  await one.dial(other)
  const refusals = () => [one, other].map((end) => end.spansNamed('mesh.link.refused').length)
  await until(() => refusals().every((count) => count > 0), 30_000, 'refusals')
  await until(() => one.mesh.peers === 0 && other.mesh.peers === 0, 30_000, 'apart')
  for (const end of [one, other]) {
    const reasons = end.spansNamed('mesh.link.refused').map(({ attributes }) => attributes['mesh.close.reason'])
    assert.deepEqual(new Set(reasons), new Set(['foreign-mesh']))
    assert.deepEqual(end.spansNamed('mesh.member.joined'), [])
  }
  await Promise.all([one.libp2p.stop(), other.libp2p.stop()])
})

test('a full node refuses a further peer, and both ends emit the reason in one trace', () =>
  withLinkedApps([{ maxPeers: 2, neighbours: 2 }, {}, {}], async (full, ...others) => {
    const late = await app()
    try {
      await late.libp2p.start()
      await late.dial(full)
      const closed = (one: App) =>
        one.spansNamed('mesh.connection.closed').find(({ attributes }) => attributes['mesh.close.reason'] === 'limit')
      await until(() => closed(full) !== undefined && closed(late) !== undefined, 30_000, 'apart')
      assert.ok(closed(late)?.parent)
      assert.equal(closed(full)?.parent?.traceId, closed(late)?.parent?.traceId)
      assert.deepEqual(
        others.map((other) => other.isLinkedTo(full)),
        [true, true],
      )
    } finally {
      await late.libp2p.stop()
    }
  }))

test('two bridges: one forwards each crossing message, once, and no other message', async () => {
  const bridge = { role: 'bridge', mesh: 'mesh-a', bridgeTo: 'mesh-b', gossipDigestMs: 500 } as const
  const inits: InternalInit[] = [{ mesh: 'mesh-a' }, { mesh: 'mesh-b' }, bridge, bridge]
  const apps = await Promise.all(inits.map((init) => app(init)))
  const [from, to, left, right] = apps as [App, App, App, App]
  try {
    await Promise.all(apps.map((one) => one.libp2p.start()))
    const received: string[] = []
    to.mesh.subscribe('news', ({ data, from: origin, hops }) => received.push(`${text(data)} ${origin} ${hops}`))
    const onBridges: string[] = []
    for (const one of [left, right]) one.mesh.subscribe('news', ({ data }) => onBridges.push(text(data)))
    const pairs = [left, right].flatMap((one) => [[one, from] as const, [one, to] as const])
    await Promise.all([...pairs.map(([one, other]) => one.dial(other)), left.dial(right)])
    const all = () =>
      [...pairs, [left, right] as const].every(([one, other]) => one.isLinkedTo(other) && other.isLinkedTo(one))
    await until(all, 30_000, 'links')
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
  } finally {
    await Promise.all(apps.map((one) => one.libp2p.stop()))
  }
})

test('unsupported OpenTelemetry variables: the mesh starts, and warns that it exports nothing', async (t) => {
  process.env['OTEL_EXPORTER_OTLP_PROTOCOL'] = 'http/protobuf'
  t.after(() => delete process.env['OTEL_EXPORTER_OTLP_PROTOCOL'])
  const warnings: Error[] = []
  const onWarning = (warning: Error) => void warnings.push(warning)
  process.on('warning', onWarning)
  t.after(() => process.off('warning', onWarning))
  const node = await app({ telemetry: undefined } as unknown as InternalInit)
  await node.libp2p.start()
  await until(() => warnings.some(({ name }) => name === 'TracemeshWarning'), 30_000, 'the warning')
  assert.match(
    warnings.map(({ message }) => message).join(),
    /not exported: OTEL_EXPORTER_OTLP_PROTOCOL is "http\/protobuf"/,
  )
  await node.libp2p.stop()
})

test('a service stopped while its telemetry loads does not start', async () => {
  const privateKey = await generateKeyPair('Ed25519')
  const { services: _, ...settings } = libp2pSettings({ privateKey, listen: [listenOn.tcp] })
  const services = { identify: identify(), tracemesh: tracemeshInternal({ otlp: 'off' }) }
  const { tracemesh: mesh } = (await createLibp2p({ ...settings, start: false, services })).services
  const starting = mesh.afterStart()
  await mesh.stop()
  await starting
  assert.throws(() => mesh.inventory(), { code: 'MESH_NOT_STARTED' })
})
