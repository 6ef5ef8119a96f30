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

test('a failed step inside the mesh service: the stop rejects', async () => {
  const node = await startNode(parseConfig(quietEnv))
  Object.defineProperty(node.mesh, 'closed', { value: [{ name: 'network', durationMs: 1, error: 'stuck' }] })
  await assert.rejects(node.stop('SIGTERM'), /libp2p\/network: stuck/)
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
