import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { emitSpan, type SpanEffect } from '../catalogue/span-effect.ts'
import { until } from '../processes/waiting.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { createApp } from '../testing/suite/mesh-app.ts'
import { type MeshEvent, MeshEvents } from './mesh-events.ts'

leakCheck()

const types = [
  'member:joined',
  'member:left',
  'member:expired',
  'seed:connected',
  'seed:giveup',
  'leak:suspected',
] as const
const seed = '/ip4/192.0.2.1/tcp/4001'
const attempt = {
  'mesh.seed.address': seed,
  'mesh.seed.attempt': 10,
  'mesh.seed.attempts': 10,
  'mesh.seed.elapsed_ms': 90_000,
}
const failure = {
  'mesh.seed.addresses': [seed],
  'mesh.dial.stage': 'dial',
  'error.type': 'ECONNREFUSED',
  'mesh.error.message': 'connection refused',
} as const
const member = {
  'mesh.peer.id': 'p',
  'mesh.peer.name': 'compute-1',
  'mesh.peer.role': 'compute',
  'mesh.peer.incarnation': 1,
} as const
const silence = { 'mesh.member.silence_ms': 31_000, 'mesh.member.window_ms': 30_000 }
const leak = {
  'mesh.invariant': 'one-link-per-pair',
  'mesh.invariant.owner': 'ledger',
  'mesh.invariant.broken_ms': 0,
  'mesh.invariant.ids': [],
  'mesh.expected': 2,
  'mesh.actual': 3,
} as const

/** Events of these spans, after the microtasks. */
async function eventsOf(...spans: readonly SpanEffect[]): Promise<MeshEvent[]> {
  const events = new MeshEvents(assert.fail)
  const seen: MeshEvent[] = []
  for (const type of types) events.addEventListener(type, ({ detail }) => void seen.push({ type, detail } as MeshEvent))
  for (const span of spans) events.dispatchOf(span)
  assert.deepEqual(seen, [], 'no listener runs within the emission of its span')
  await Promise.resolve()
  return seen
}

describe('each event derives from one span', () => {
  const node = { peer: 'p', name: 'compute-1', role: 'compute' } as const
  const connected = { address: seed, peer: 'p', attempts: 10 }
  const giveup = { ...attempt, ...failure }
  const withPeer = { 'mesh.seed.address': `${seed}/p2p/p` }
  const table: readonly (readonly [SpanEffect, MeshEvent])[] = [
    [emitSpan('mesh.member.joined', { ...member, 'mesh.member.via': 'link' }), { type: 'member:joined', detail: node }],
    [emitSpan('mesh.member.left', { ...member, 'mesh.member.via': 'gossip' }), { type: 'member:left', detail: node }],
    [emitSpan('mesh.member.expired', { ...member, ...silence }), { type: 'member:expired', detail: node }],
    [
      emitSpan('mesh.seed.connected', { ...attempt, 'mesh.peer.id': 'p' }),
      { type: 'seed:connected', detail: connected },
    ],
    [emitSpan('mesh.seed.giveup', giveup), { type: 'seed:giveup', detail: { address: seed, attempts: 10 } }],
    [
      emitSpan('mesh.seed.giveup', { ...giveup, ...withPeer }),
      { type: 'seed:giveup', detail: { ...connected, address: `${seed}/p2p/p` } },
    ],
    [
      emitSpan('mesh.leak.suspected', leak),
      { type: 'leak:suspected', detail: { invariant: 'one-link-per-pair', owner: 'ledger', expected: 2, actual: 3 } },
    ],
  ]
  for (const [span, event] of table)
    test(`${span.span}: ${event.type}`, async () => assert.deepEqual(await eventsOf(span), [event]))

  test('other spans have no event', async () => {
    const retry = emitSpan('mesh.seed.retry', { ...attempt, ...failure, 'mesh.seed.delay_ms': 1_000 })
    assert.deepEqual(await eventsOf(retry, emitSpan('mesh.seed.self', selfAttributes)), [])
  })
})

const selfAttributes = {
  'mesh.seed.address': seed,
  'mesh.seed.addresses': [seed],
  'mesh.seed.others': 0,
  'mesh.error.message': 'the own peer id',
}

describe('listeners', () => {
  const left = emitSpan('mesh.member.left', { ...member, 'mesh.member.via': 'gossip' })

  test('a listener that throws or rejects: the others run, and the node gets both errors', async () => {
    const errors: string[] = []
    const events = new MeshEvents((type, error) => void errors.push(`${type} ${(error as Error).message}`))
    let calls = 0
    events.addEventListener('member:left', () => {
      throw new Error('thrown')
    })
    events.addEventListener('member:left', async () => {
      throw new Error('rejected')
    })
    events.addEventListener('member:left', { handleEvent: () => void calls++ })
    events.dispatchOf(left)
    await until(() => errors.length === 2, 30_000, 'two errors')
    assert.deepEqual([errors, calls], [['member:left thrown', 'member:left rejected'], 1])
  })

  test('a removed listener gets no event, and one with `once` or an aborted signal no second one', async () => {
    const events = new MeshEvents(assert.fail)
    const calls: string[] = []
    const [removed, once, aborted] = ['removed', 'once', 'aborted'].map((name) => () => void calls.push(name))
    assert.ok(removed && once && aborted)
    const controller = new AbortController()
    events.addEventListener('member:left', removed)
    events.addEventListener('member:left', removed)
    events.removeEventListener('member:left', removed)
    events.addEventListener('member:left', once, { once: true })
    events.addEventListener('member:left', aborted, { signal: controller.signal })
    events.dispatchOf(left)
    await Promise.resolve()
    controller.abort()
    events.dispatchOf(left)
    await Promise.resolve()
    assert.deepEqual(calls, ['once', 'aborted'])
    assert.equal(events.listenerCount('member:left'), 0)
  })
})

test('two nodes: each hears of seed, join and goodbye, sees the state after it, and keeps its listeners over a restart', async () => {
  await using seedApp = await createApp({ name: 'one', role: 'seed' })
  const { libp2p: one, mesh } = seedApp
  await one.start()
  await using otherApp = await createApp({ name: 'other', seeds: mesh.addresses() })
  const { libp2p: other } = otherApp
  const seen: string[] = []
  for (const type of ['member:joined', 'member:left'] as const) {
    mesh.addEventListener(type, ({ detail }) => {
      seen.push(`${type} ${detail.name} ${detail.role} ${mesh.topology().members.length}`)
      throw new Error('a broken listener')
    })
  }
  const connected: unknown[] = []
  otherApp.mesh.addEventListener('seed:connected', ({ detail }) => void connected.push(detail))
  await other.start()
  await until(() => seen.length === 1, 30_000, 'member:joined')
  await until(() => connected.length === 1, 30_000, 'seed:connected')
  assert.deepEqual(connected, [{ address: mesh.addresses()[0], peer: mesh.peer, attempts: 1 }])
  await other.stop()
  await until(() => seen.length === 2, 30_000, 'member:left')
  await one.stop()
  await one.start()
  await other.start()
  await one.dial(other.getMultiaddrs())
  await until(() => seen.length === 3, 30_000, 'member:joined after a restart')
  const joined = 'member:joined other compute 1'
  assert.deepEqual(seen, [joined, 'member:left other compute 0', joined])
})
