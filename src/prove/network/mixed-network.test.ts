import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../../testing/leak-check.ts'
import type { ReceivedSpan } from '../../testing/otlp/otlp-receiver.ts'
import { pagesOf } from './mixed-network.e2e.ts'

leakCheck()

const span = (name: string, node: string, atS: number, attributes: ReceivedSpan['attributes'] = {}): ReceivedSpan => ({
  name,
  traceId: '',
  spanId: '',
  parentSpanId: '',
  links: [],
  attributes,
  resource: { 'mesh.node.name': node },
  startMs: atS * 1_000,
  endMs: atS * 1_000,
  status: 'unset',
})
const nodes = ['a', 'b', 'c', 'd']
const every = (seconds: number, until: number) => Array.from({ length: until / seconds }, (_, n) => n * seconds)
const alerts = (spans: readonly ReceivedSpan[]) => pagesOf(spans).map(({ alert, node }) => `${alert} ${node}`)

test('one give-up: MeshSeedGiveup; one retry of each node: no page', () => {
  assert.deepEqual(alerts([span('mesh.seed.giveup', 'a', 1), span('mesh.seed.retry', 'b', 1)]), ['MeshSeedGiveup a'])
  assert.deepEqual(alerts(nodes.map((node) => span('mesh.seed.retry', node, 1))), [])
})

test('three nodes retry for three minutes: MeshRetryStorm; two nodes, or one minute: no page', () => {
  const retries = (of: readonly string[], until: number) => [
    ...nodes.map((node) => span('mesh.window', node, 0)),
    ...every(30, until).flatMap((at) => of.map((node) => span('mesh.seed.retry', node, at))),
  ]
  assert.deepEqual(alerts(retries(nodes.slice(1), 180)), ['MeshRetryStorm b'])
  assert.deepEqual(alerts(retries(nodes.slice(2), 180)), [])
  assert.deepEqual(alerts(retries(nodes, 60)), [])
})

test('two minutes without a link: MeshNodeAlone; a late link: no page', () => {
  const audits = (links: (at: number) => number) =>
    every(30, 300).map((at) => span('mesh.audit', 'a', at, { 'mesh.audit.links': links(at) }))
  assert.deepEqual(alerts(audits(() => 0)), ['MeshNodeAlone a'])
  assert.deepEqual(alerts(audits((at) => (at < 90 ? 0 : 2))), [])
})

test('one node expires three members at once: MeshMembersExpiredInBulk; all nodes expire one: no page', () => {
  const expired = (node: string, count: number) =>
    Array.from({ length: count }, (_, n) => span('mesh.member.expired', node, n))
  assert.deepEqual(alerts(expired('a', 3)), ['MeshMembersExpiredInBulk a'])
  assert.deepEqual(alerts(nodes.flatMap((node) => expired(node, 1))), [])
})
