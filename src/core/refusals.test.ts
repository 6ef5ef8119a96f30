import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SpanEffect } from '../catalogue/span-effect.ts'
import { infoOf } from '../testing/core/node-fixture.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { seededRandom } from '../testing/random.ts'
import { VirtualClock } from '../testing/sim/virtual-clock.ts'
import { Owner } from './owner.ts'
import { type RefusalReason, Refusals } from './refusals.ts'

leakCheck()

const makeRefusals = () => new Refusals(new Owner('node-a', new VirtualClock()), seededRandom(1))
const namesOf = (effects: readonly (SpanEffect | { readonly do: string })[]) =>
  effects.map((effect) => ('span' in effect ? effect.span : effect.do))

test('a refused connection: has an opened span with the reason, and a closed span once libp2p has closed it', () => {
  const refusals = makeRefusals()
  const effects = refusals.refuse(infoOf({ id: 'c1' }), 'links-per-peer', 0)
  assert.deepEqual(namesOf(effects), ['mesh.connection.opened', 'close'])
  const [opened] = effects
  assert.ok(opened?.do === 'emit-span' && opened.span === 'mesh.connection.opened')
  assert.equal(opened.attributes['mesh.refusal.reason'], 'links-per-peer')
  const [closed, ...others] = refusals.reconcile(new Set(), 500)
  assert.ok(closed?.do === 'emit-span' && closed.span === 'mesh.connection.closed')
  assert.deepEqual(others, [])
  assert.deepEqual(closed.links, [opened.ref])
  assert.equal(closed.attributes['mesh.close.reason'], 'limit')
  assert.deepEqual([...refusals.values()], [])
})

test('a refused connection that stays open: is closed again, and aborted after two seconds', () => {
  const refusals = makeRefusals()
  refusals.refuse(infoOf({ id: 'c1' }), 'limit', 0)
  const present = new Set(['c1'])
  assert.deepEqual(refusals.reconcile(present, 1_999), [{ do: 'close', connection: 'c1', abort: false }])
  assert.deepEqual(refusals.reconcile(present, 2_000), [{ do: 'close', connection: 'c1', abort: true }])
  assert.equal(refusals.has('c1'), true)
})

test('a storm of refusals: five spans per reason and second, one span for the others, and exact counts', () => {
  const refusals = makeRefusals()
  const refuse = (reason: RefusalReason, count: number, now: number) =>
    Array.from({ length: count }, (_, i) => refusals.refuse(infoOf({ id: `${reason} ${now} ${i}` }), reason, now))
      .flat()
      .filter((effect) => effect.do === 'emit-span')
  assert.equal(refuse('limit', 100, 0).length, 5)
  assert.equal(refuse('duplicate', 3, 10).length, 3)
  assert.equal(refusals.deadline(), 1_000)
  assert.deepEqual(refusals.tick(999), [])
  const [summary, ...others] = refusals.tick(1_000)
  assert.deepEqual(others, [], 'nothing to add to three spans')
  assert.deepEqual(summary?.attributes, { 'mesh.refusal.reason': 'limit', 'mesh.refusal.count': 95 })
  refusals.tick(1_010)
  assert.equal(refusals.deadline(), Infinity)
  assert.deepEqual(refusals.counts, { limit: 100, duplicate: 3 })
  const closedSpans = refusals.reconcile(new Set(), 1_500)
  assert.deepEqual(new Set(namesOf(closedSpans)), new Set(['mesh.connection.closed']))
  assert.equal(closedSpans.length, 8, 'one for each opened span')
})

test('a second storm before the tick: the first one has its span all the same', () => {
  const refusals = makeRefusals()
  for (let i = 0; i < 7; i++) refusals.refuse(infoOf({ id: `a${i}` }), 'limit', 0)
  const effects = refusals.refuse(infoOf({ id: 'b' }), 'limit', 1_200)
  assert.deepEqual(namesOf(effects), ['mesh.connection.refused', 'mesh.connection.opened', 'close'])
})
