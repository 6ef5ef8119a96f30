import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { VirtualClock } from '../testing/sim/virtual-clock.ts'
import { type Grudge, Grudges } from './grudges.ts'
import { limits } from './limits.ts'
import { Owner } from './owner.ts'

leakCheck()

let owner: Owner
afterEach(() => owner?.close())

function createGrudges(): Grudges {
  owner = new Owner('test', new VirtualClock())
  return new Grudges(owner)
}

const penalties = { behaviour: 12, topics: {} }
const grudge = (parts: Partial<Grudge>): Grudge => ({ penalties: undefined, penaltiesUntil: 0, backoffs: {}, ...parts })

test('a peer without penalties and live backoffs: no grudge', () => {
  const grudges = createGrudges()
  grudges.note('ann', grudge({ penaltiesUntil: 5_000 }), 1_000)
  grudges.note('bob', grudge({ penalties, penaltiesUntil: 1_000, backoffs: { news: 1_000 } }), 1_000)
  assert.equal(grudges.size, 0)
})

test('a peer that returns: gets what has not expired, once', () => {
  const grudges = createGrudges()
  grudges.note('ann', grudge({ penalties, penaltiesUntil: 5_000, backoffs: { news: 3_000, chat: 9_000 } }), 1_000)
  assert.deepEqual(grudges.take('ann', 4_000), { penalties, penaltiesUntil: 5_000, backoffs: { chat: 9_000 } })
  assert.equal(grudges.take('ann', 4_000), undefined)
  assert.equal(grudges.restored, 1)
  grudges.note('ann', grudge({ penalties, penaltiesUntil: 5_000, backoffs: { chat: 9_000 } }), 4_000)
  assert.deepEqual(grudges.take('ann', 6_000)?.penalties, undefined)
})

test('the last part of a grudge expires: the list forgets the peer', () => {
  const grudges = createGrudges()
  grudges.note('ann', grudge({ penalties, penaltiesUntil: 5_000, backoffs: { news: 9_000 } }), 0)
  grudges.note('bob', grudge({ penalties, penaltiesUntil: 5_000 }), 0)
  grudges.expire(8_999)
  assert.equal(grudges.size, 1)
  grudges.expire(9_000)
  assert.equal(grudges.size, 0)
  assert.equal(grudges.take('ann', 9_000), undefined)
  assert.equal(grudges.restored, 0)
})

test('backoffs in more topics than a grudge holds: the longest stay', () => {
  const grudges = createGrudges()
  const count = limits.grudgeTopics + 5
  const backoffs = Object.fromEntries(Array.from({ length: count }, (_, index) => [`topic ${index}`, 1_000 + index]))
  grudges.note('ann', grudge({ backoffs }), 0)
  const kept = Object.values(grudges.take('ann', 0)?.backoffs ?? {})
  assert.deepEqual([kept.length, Math.min(...kept)], [limits.grudgeTopics, 1_005])
})

test('a topic with the name of a prototype: an ordinary topic', () => {
  const grudges = createGrudges()
  grudges.note('ann', grudge({ backoffs: Object.fromEntries([['__proto__', 5_000]]) }), 0)
  assert.deepEqual(Object.keys(grudges.take('ann', 0)?.backoffs ?? {}), ['__proto__'])
})

test('a full list: the oldest is forgotten, with at most one span a second', () => {
  const grudges = createGrudges()
  const note = (index: number, now: number) => grudges.note(`peer ${index}`, grudge({ backoffs: { news: 1e6 } }), now)
  for (let index = 0; index < limits.grudges; index++) assert.deepEqual(note(index, 0), [])
  const [span] = note(limits.grudges, 0)
  assert.deepEqual(span?.attributes, {
    'mesh.limit.name': 'grudges',
    'mesh.limit.total': 1,
    'mesh.limit.value': limits.grudges,
    'mesh.limit.action': 'evicted',
    'mesh.peer.id': 'peer 0',
  })
  assert.deepEqual(note(limits.grudges + 1, 999), [])
  assert.equal(note(limits.grudges + 2, 1_000).length, 1)
  assert.equal(grudges.size, limits.grudges)
})

test('a full list, and a peer with penalties: those without are forgotten first', () => {
  const grudges = createGrudges()
  const penalised = grudge({ penalties, penaltiesUntil: 1e6 })
  grudges.note('ann', penalised, 0)
  for (let index = 1; index < limits.grudges; index++)
    grudges.note(`peer ${index}`, grudge({ backoffs: { news: 1e6 } }), 0)
  const [span] = grudges.note('bob', penalised, 0)
  assert.equal(span?.attributes['mesh.peer.id' as never], 'peer 1')
  for (let index = 0; index < 2 * limits.grudges; index++)
    grudges.note(`throwaway ${index}`, grudge({ backoffs: { news: 1e6 } }), 1)
  assert.equal(grudges.size, limits.grudges)
  for (const peer of ['ann', 'bob']) assert.deepEqual(grudges.take(peer, 2)?.penalties, penalties)
})

test('a list full of penalties: a peer with a backoff only is forgotten itself, one with penalties takes the oldest place', () => {
  const grudges = createGrudges()
  const penalised = grudge({ penalties, penaltiesUntil: 1e6 })
  for (let index = 0; index < limits.grudges; index++) grudges.note(`peer ${index}`, penalised, 0)
  const [span] = grudges.note('bob', grudge({ backoffs: { news: 1e6 } }), 0)
  assert.equal(span?.attributes['mesh.peer.id' as never], 'bob')
  assert.equal(grudges.take('bob', 1), undefined)
  grudges.note('cid', penalised, 1)
  assert.equal(grudges.take('peer 0', 1), undefined)
  assert.ok(grudges.take('peer 1', 1) && grudges.take('cid', 1))
})

test('a peer that is noted again: the new penalties count, and without new ones the old', () => {
  const grudges = createGrudges()
  grudges.note('ann', grudge({ penalties, penaltiesUntil: 5_000, backoffs: { news: 8_000, chat: 2_000 } }), 0)
  grudges.note('ann', grudge({ penaltiesUntil: 9_000, backoffs: { news: 3_000, chat: 4_000 } }), 1_000)
  const worse = { behaviour: 20, topics: {} }
  assert.deepEqual(
    grudges.take('ann', 1_000),
    grudge({ penalties, penaltiesUntil: 5_000, backoffs: { news: 8_000, chat: 4_000 } }),
  )
  grudges.note('ann', grudge({ penalties, penaltiesUntil: 5_000 }), 1_000)
  grudges.note('ann', grudge({ penalties: worse, penaltiesUntil: 6_000 }), 2_000)
  assert.deepEqual(grudges.take('ann', 2_000), grudge({ penalties: worse, penaltiesUntil: 6_000 }))
})

test('an offence: refused for a minute, in the list with the penalties, and not pardoned when they are given back', () => {
  const grudges = createGrudges()
  grudges.note('ann', grudge({ penalties, penaltiesUntil: 1e6 }), 0)
  grudges.noteOffence('ann', 'flooding', 0)
  assert.equal(grudges.size, 1)
  assert.deepEqual(grudges.take('ann', 1)?.penalties, penalties)
  assert.equal(grudges.take('ann', 2), undefined)
  grudges.note('ann', grudge({ penalties, penaltiesUntil: 1e6 }), 3)
  assert.equal(grudges.offenceOf('ann', limits.refusalMs - 1), 'flooding')
  assert.equal(grudges.offenceOf('ann', limits.refusalMs), undefined)
  assert.deepEqual(grudges.take('ann', limits.refusalMs)?.penalties, penalties)
  assert.deepEqual([grudges.size, grudges.restored], [0, 2])
  assert.equal(grudges.offenceOf('bob', 0), undefined)
})

test('an offence without anything else: leaves the list after its minute', () => {
  const grudges = createGrudges()
  grudges.noteOffence('ann', 'bad-frame', 0)
  grudges.noteOffence('bob', 'bad-frame', limits.refusalMs)
  assert.equal(grudges.size, 1)
  grudges.expire(2 * limits.refusalMs)
  assert.equal(grudges.size, 0)
})
