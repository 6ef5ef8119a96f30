import assert from 'node:assert/strict'
import { test } from 'node:test'
import { brief, findIn, Life } from '../../testing/doctor/life.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { oneWayGossip } from './one-way-gossip.ts'

leakCheck()

const mute = (about: string, lack: string, heals = 3) => ({
  'mesh.peer.id': `peer-${about}`,
  'mesh.gossip.lack': lack,
  'mesh.gossip.heals': heals,
})

test('a node with which two others have no gossip: certain, of that node', () => {
  const lives = [
    new Life('a').span('mesh.gossip.mute', 30, mute('b', 'missing')),
    new Life('b').span('mesh.gossip.mute', 60, mute('a', 'no-inbound')),
    new Life('c').span('mesh.gossip.mute', 61, mute('a', 'no-inbound')),
  ]
  const [finding, ...others] = findIn(oneWayGossip, lives)
  assert.deepEqual([finding && brief(finding), others], ['certain a: gossip', []])
  assert.match(finding?.summary ?? '', /gossip with b, c .*missing at a, no-inbound at b, no-inbound at c/)
})

test('a single pair of which one end complains: the other end', () => {
  const lives = [new Life('a').censuses(5, 60, 1), new Life('b').span('mesh.gossip.mute', 60, mute('a', 'no-inbound'))]
  assert.deepEqual(findIn(oneWayGossip, lives).map(brief), ['certain a: gossip'])
})

for (const [situation, a] of Object.entries({
  'that both ends report': new Life('a').span('mesh.leak.suspected', 20, { 'mesh.invariant': 'one-link-per-pair' }),
  'of which the report is missing': [0, 30, 60].reduce(
    (life, atS) => life.span('mesh.audit', atS, { 'mesh.audit.opened_total': 9, 'mesh.audit.suspects': 3 }),
    new Life('a'),
  ),
}))
  test(`a pair with several connections, ${situation}: not enough evidence, since they break gossip too`, () => {
    const [finding] = findIn(oneWayGossip, [a, new Life('b').span('mesh.gossip.mute', 60, mute('a', 'missing'))])
    assert.deepEqual([finding?.certainty, finding?.alsoAt], ['insufficient', ['b']])
    assert.match(finding?.missing ?? '', /connections that should be closed/)
  })

test('a connection that closed late, at another time: certain', () => {
  const a = [0, 30, 60].reduce(
    (life, atS) => life.span('mesh.audit', atS, { 'mesh.audit.suspects': atS === 30 ? 1 : 0 }),
    new Life('a'),
  )
  const lives = [a, new Life('b').span('mesh.gossip.mute', 60, mute('a', 'no-inbound'))]
  assert.deepEqual(findIn(oneWayGossip, lives).map(brief), ['certain a: gossip'])
})

test('gossip that a heal repaired: nothing', () => {
  assert.deepEqual(findIn(oneWayGossip, [new Life('a').span('mesh.gossip.healed', 30, mute('b', 'missing', 1))]), [])
})

test('a guest that never subscribed to a topic: nothing', () => {
  const lives = [new Life('a').span('mesh.gossip.mute', 30, mute('guest', 'no-subscription', 0))]
  assert.deepEqual(findIn(oneWayGossip, lives), [])
})
