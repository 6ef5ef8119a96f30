import assert from 'node:assert/strict'
import { test } from 'node:test'
import { helloOf, infoOf, makeLedger } from '../testing/core/node-fixture.ts'
import { spansNamed } from '../testing/core/view-fixture.ts'
import { leakCheck } from '../testing/leak-check.ts'
import type { ConnectionLedger } from './connection-ledger.ts'
import type { ConnectionInfo } from './events.ts'
import type { LedgerEffect } from './ledger-events.ts'
import { limits } from './limits.ts'

leakCheck()

const info = (id: string, peer = 'p', changes: Partial<ConnectionInfo> = {}) => infoOf({ id, peer, ...changes })
const observe = (one: ConnectionLedger, now: number, ...connections: ConnectionInfo[]) =>
  one.handle({ type: 'observed', connections }, now)
const hear = (one: ConnectionLedger, connection: string, now: number) =>
  one.handle({ type: 'frame', connection, frame: { type: 'hello', hello: helloOf() } }, now)
const closesIn = (effects: readonly LedgerEffect[]) =>
  effects.flatMap((effect) => (effect.do === 'close' ? [effect.connection] : []))

for (const [reason, isFlooding] of [
  ['flooding', true],
  ['bad-frame', false],
] as const) {
  test(`a peer closed for ${reason} that comes back: refused for a minute, others and own dials are not`, () => {
    const one = makeLedger()
    observe(one, 0, info('1'))
    hear(one, '1', 0)
    one.handle({ type: 'frame.refused', connection: '1', reason: 'frames', isFlooding }, 1)
    const effects = observe(one, 2, info('2'), info('3', 'q'), info('4', 'p', { direction: 'outbound' }))
    assert.deepEqual(closesIn(effects), ['2'])
    const [opened] = spansNamed(effects, 'mesh.connection.opened')
    assert.equal(opened?.attributes['mesh.refusal.reason'], reason)
    assert.deepEqual(closesIn(observe(one, limits.refusalMs, info('5'))), ['5'])
    const [closed] = spansNamed(observe(one, limits.refusalMs), 'mesh.connection.closed').slice(-1)
    assert.equal(closed?.attributes['mesh.close.reason'], reason)
    observe(one, limits.refusalMs + 1, info('6'))
    hear(one, '6', limits.refusalMs + 2)
    assert.equal(one.joinedLink('p')?.connection, '6')
  })
}

test('a connection of the application from a peer closed for a bad frame: not refused, since it would stay open', () => {
  const one = makeLedger()
  observe(one, 0, info('1'))
  one.handle({ type: 'frame.refused', connection: '1', reason: 'too long', isFlooding: false }, 1)
  assert.deepEqual(closesIn(observe(one, 2, info('2', 'p', { isForeign: true }))), [])
})
