import assert from 'node:assert/strict'
import { test } from 'node:test'
import { quic } from '@libp2p/quic'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import type { SpanEffect } from '../catalogue/span-effect.ts'
import { silentLibp2p } from '../kit/libp2p-logger.ts'
import { until } from '../processes/waiting.ts'
import { udpRelay } from '../testing/cluster/udp-relay.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { parseConfig } from './config.ts'
import { type RunningNode, startNode } from './node.ts'

leakCheck()

const listen = '/ip4/127.0.0.1/tcp/0'
const quietEnv = { MESH_OTLP: 'off', MESH_LOG_LEVEL: 'silent', MESH_LISTEN: listen, MESH_TOPICS: 'news' }

/** Collects the spans that a node emits from here on. */
function recordSpans({ telemetry }: RunningNode): SpanEffect[] {
  const spans: SpanEffect[] = []
  const { emit } = telemetry
  Object.assign(telemetry, {
    emit: (...args: Parameters<typeof emit>) => {
      spans.push(args[0])
      return emit(...args)
    },
  })
  return spans
}

test('an ordered stop: one span per step of the node and of the mesh service, none with an error', async () => {
  const seed = await startNode(parseConfig(quietEnv))
  const node = await startNode(parseConfig({ ...quietEnv, MESH_SEEDS: seed.addresses[0] }))
  const spans = recordSpans(node)
  await until(() => node.mesh.topology().peers.some(({ kind }) => kind === 'member'), 30_000, 'a link')
  await node.stop('SIGTERM')
  await seed.stop('SIGTERM')
  const [stopped] = spans.filter((one) => one.span === 'mesh.node.stopped')
  assert.equal(stopped?.attributes['mesh.node.stop_cause'], 'SIGTERM')
  const steps = spans.flatMap((one) => (one.span === 'mesh.node.step' ? [one.attributes] : []))
  const names = steps.map((step) => step['mesh.step.name'])
  for (const name of ['admin', 'libp2p', 'libp2p/network', 'libp2p/subscriptions', 'libp2p/peers'])
    assert.ok(names.includes(name), `${name} of ${names}`)
  for (const step of steps) assert.equal(step['mesh.step.error'], '')
  assert.deepEqual(stopped?.attributes['mesh.stop.run'], names)
  assert.deepEqual(stopped?.attributes['mesh.stop.expected'], names)
  assert.deepEqual(stopped?.attributes['mesh.stop.held'], [])
})

test('a handshake that hangs: the stop does not wait for it', async () => {
  const node = await startNode(parseConfig({ ...quietEnv, MESH_LISTEN: '/ip4/127.0.0.1/udp/0/quic-v1' }))
  const port = Number(/\/udp\/(\d+)\//.exec(node.addresses[0] ?? '')?.[1])
  await using relay = await udpRelay(port, { oneWay: true })
  const quicOptions: object = { shutdownTimeout: 100 }
  const client = await createLibp2p({ transports: [quic(quicOptions)], logger: silentLibp2p })
  const abort = new AbortController()
  const dial = client.dial(multiaddr(`/ip4/127.0.0.1/udp/${relay.port}/quic-v1`), { signal: abort.signal })
  await until(() => relay.answered() > 0, 30_000, 'the node answers the handshake')
  await node.stop('SIGTERM')
  abort.abort()
  await assert.rejects(dial)
  await client.stop()
})

test('a profile in progress: the stop aborts it', async () => {
  const node = await startNode(parseConfig({ ...quietEnv, MESH_PPROF: '127.0.0.1:0' }))
  const spans = recordSpans(node)
  const aborted = assert.rejects(fetch(`${node.pprofUrl}/debug/pprof/profile?seconds=60`))
  const isProfiling = () => fetch(`${node.pprofUrl}/debug/pprof/heap?seconds=1`).then(({ status }) => status === 409)
  await until(isProfiling, 30_000, 'a profile is being taken')
  const late = AbortSignal.timeout(2_000)
  await node.stop('SIGTERM')
  assert.equal(late.aborted, false)
  await aborted
  const steps = spans.flatMap((one) => (one.span === 'mesh.node.step' ? [one.attributes['mesh.step.name']] : []))
  for (const name of ['cpu profile', 'pprof']) assert.ok(steps.includes(name), `${name} of ${steps}`)
})

/** The span of a stop that rejects with this, and the mesh service beneath a fault. */
async function stopFaulty(plant: (node: RunningNode) => void, problem: RegExp) {
  const node = await startNode(parseConfig({ ...quietEnv, MESH_STOP_MS: '500' }))
  const spans = recordSpans(node)
  const ownStop = node.mesh.stop.bind(node.mesh)
  plant(node)
  await assert.rejects(node.stop('SIGTERM'), problem)
  const [stopped] = spans.filter((one) => one.span === 'mesh.node.stopped')
  await ownStop()
  const named = (name: 'expected' | 'run' | 'missing' | 'failed' | 'held') =>
    (stopped?.attributes[`mesh.stop.${name}` as never] ?? []) as string[]
  const errors = spans.flatMap((one) => (one.span === 'mesh.node.step' ? [one.attributes['mesh.step.error']] : []))
  return { named, error: errors.join('') }
}

test('a step that throws: the span has its error, the rest is closed, and the stop rejects', async () => {
  const { named, error } = await stopFaulty(({ mesh }) => {
    const stop = mesh.stop.bind(mesh)
    mesh.stop = async () => {
      await stop()
      throw new Error('planted')
    }
  }, /libp2p: planted/)
  assert.deepEqual([named('failed'), named('missing'), named('held')], [['libp2p'], [], []])
  assert.equal(error, 'planted')
  assert.deepEqual(named('expected'), named('run'))
})

test('a step that hangs: its limit ends it, what it should have closed is named, and libp2p is gone', async () => {
  const { named, error } = await stopFaulty(({ mesh }) => {
    mesh.stop = () => new Promise(() => {})
  }, /libp2p: MESH_STEP_TIMEOUT/)
  assert.match(error, /^MESH_STEP_TIMEOUT/)
  assert.deepEqual(named('failed'), ['libp2p'])
  for (const name of ['libp2p/network', 'libp2p/peers']) {
    assert.ok(named('missing').includes(name), `${name} of ${named('missing')}`)
    assert.ok(named('held').includes(name), `${name} of ${named('held')}`)
  }
  assert.deepEqual(
    named('held').filter((name) => /connection to|listener at/.test(name)),
    [],
  )
  assert.ok(named('run').includes('admin'))
})

test('steps that do not run: the span names them, and the stop rejects', async () => {
  const { named } = await stopFaulty(({ mesh }) => {
    mesh.stop = async () => {}
  }, /libp2p\/network: not closed/)
  const ofMesh = (names: readonly string[]) => names.filter((name) => name.startsWith('libp2p/'))
  assert.deepEqual([ofMesh(named('run')), named('failed')], [[], []])
  assert.deepEqual(named('missing'), ofMesh(named('expected')))
  assert.ok(named('missing').length > 10)
})

test('beforeStop of another service fails: the node still closes its own parts, connections and listeners', async () => {
  const { named } = await stopFaulty(({ mesh }) => {
    mesh.beforeStop = () => Promise.reject(new Error('planted'))
  }, /^Error: libp2p: planted$/)
  assert.deepEqual([named('missing'), named('held')], [[], []])
  assert.deepEqual(named('expected'), named('run'))
})

test('a port of the HTTP API in use: the error names MESH_ADMIN and the address', async () => {
  const node = await startNode(parseConfig({ ...quietEnv, MESH_ADMIN: '127.0.0.1:0' }))
  const address = new URL(node.adminUrl ?? '').host
  await assert.rejects(startNode(parseConfig({ ...quietEnv, MESH_ADMIN: address })), {
    code: 'MESH_PORT_TAKEN',
    detail: { key: 'MESH_ADMIN (--admin)', address },
  })
  await node.stop('SIGTERM')
})
