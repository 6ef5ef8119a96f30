import assert from 'node:assert/strict'
import { test } from 'node:test'
import { infoOf, joinLink, makeLedger } from '../testing/core/node-fixture.ts'
import { leakCheck } from '../testing/leak-check.ts'
import type { ConnectionInfo } from './events.ts'
import type { LedgerEffect } from './ledger-events.ts'

leakCheck()

const connection = (peer: string, changes: Partial<ConnectionInfo> = {}) =>
  infoOf({ id: `c ${peer}`, peer, isIdle: true, ...changes })
const closed = (effects: readonly LedgerEffect[]) =>
  effects.flatMap((effect) => (effect.do === 'close' ? [effect.connection.slice(2)] : []))

/** A ledger with these connections, each of a guest that is old enough. */
function withGuests(connectionsLow: number, connections: readonly ConnectionInfo[], isNeeded = (_: string) => false) {
  const ledger = makeLedger({ connectionsHigh: 20, connectionsLow, isNeeded })
  const observe = (now: number) => ledger.handle({ type: 'observed', connections }, now)
  observe(0)
  ledger.handle({ type: 'tick' }, 6_000)
  return { ledger, observe }
}

test('above the low number of peers: closes guests down to it, idle ones first, the newest of them first', () => {
  const connections = [connection('a'), connection('b'), connection('busy', { isIdle: false })]
  const { ledger, observe } = withGuests(1, connections)
  assert.ok(ledger.deadline() < 60_000, 'it looks again')
  const effects = observe(70_000)
  assert.deepEqual(closed(effects), ['a', 'b'])
  const reached = effects.find((effect) => effect.do === 'emit-span' && effect.span === 'mesh.limit.reached')
  assert.ok(reached?.do === 'emit-span')
  const { attributes } = reached
  assert.deepEqual(
    ['mesh.limit.name', 'mesh.limit.value', 'mesh.limit.action', 'mesh.limit.setting'].map(
      (name) => (attributes as Record<string, unknown>)[name],
    ),
    ['peersLow', 1, 'closed', 'MESH_CONNECTIONS_LOW'],
  )
})

test('idle guests do not suffice: others follow', () => {
  const connections = [connection('a'), connection('busy', { isIdle: false })]
  assert.deepEqual(closed(withGuests(0, connections).observe(70_000)), ['a', 'busy'])
})

test('two idle guests of different age: the newer one goes', () => {
  const ledger = makeLedger({ connectionsHigh: 20, connectionsLow: 1 })
  const [old, young] = [connection('old'), connection('young')]
  ledger.handle({ type: 'observed', connections: [old] }, 0)
  ledger.handle({ type: 'observed', connections: [old, young] }, 5_000)
  ledger.handle({ type: 'tick' }, 12_000)
  assert.deepEqual(closed(ledger.handle({ type: 'observed', connections: [old, young] }, 80_000)), ['young'])
})

test('members, seeds, connections of the application, relayed and young guests stay', () => {
  const relayed = { isLimited: true, address: '/ip4/10.0.0.1/tcp/1/p2p/r/p2p-circuit' } as const
  const connections = [
    connection('member'),
    connection('seed'),
    connection('app', { isForeign: true }),
    connection('relayed', relayed),
  ]
  const { ledger, observe } = withGuests(0, connections, (peer) => peer === 'seed')
  joinLink(ledger, 'c member', 7_000)
  assert.deepEqual(closed(observe(80_000)), [])
  const young = withGuests(0, [connection('young')])
  assert.deepEqual(closed(young.observe(59_999)), [])
})

test('at the low number, or without one: nothing closes', () => {
  const connections = [connection('a'), connection('b')]
  assert.deepEqual(closed(withGuests(2, connections).observe(80_000)), [])
  const ledger = makeLedger({ connectionsHigh: 2 })
  ledger.handle({ type: 'observed', connections }, 0)
  ledger.handle({ type: 'tick' }, 6_000)
  assert.deepEqual(closed(ledger.handle({ type: 'observed', connections }, 80_000)), [])
})

test('a guest that cannot be closed: the ledger looks again every 10 s, not at every event', () => {
  const { ledger, observe } = withGuests(0, [connection('app', { isForeign: true })])
  observe(70_000)
  assert.equal(ledger.deadline(), 80_000)
  assert.deepEqual(
    ledger.handle({ type: 'tick' }, 80_000).map((effect) => effect.do),
    ['observe'],
  )
})
