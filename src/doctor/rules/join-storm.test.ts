import assert from 'node:assert/strict'
import { test } from 'node:test'
import { brief, findIn, Life } from '../../testing/doctor/life.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { joinStorm } from './join-storm.ts'

leakCheck()

const limit = (name: string) => ({ 'mesh.limit.name': name, 'mesh.limit.value': 6, 'mesh.limit.total': 18 })
const joining = (count: number, stepS: number) =>
  Array.from({ length: count }, (_, index) => new Life(`n${index}`).span('mesh.node.started', 100 + stepS * index))
const full = (atS: number, name = 'peers') =>
  new Life('seed').censuses(5, 300, 6).span('mesh.limit.reached', atS, limit(name))

test('twelve nodes that start at once, some of them refused: certain, of the node that refuses', () => {
  const [finding] = findIn(joinStorm, [full(103), ...joining(12, 1)])
  assert.equal(finding && brief(finding), 'certain seed: limit peers')
  assert.match(
    finding?.summary ?? '',
    /12 peers joined within a minute, and 18 of their connections were refused at peers = 6/,
  )
})

test('peers without spans of their own: counted by the connections of the node', () => {
  const seed = full(112)
  for (let index = 0; index < 12; index++)
    seed.span('mesh.connection.opened', 100 + index, {
      'mesh.peer.id': `p${index}`,
      'mesh.connection.direction': 'inbound',
    })
  assert.deepEqual(findIn(joinStorm, [seed]).map(brief), ['certain seed: limit peers'])
})

test('as many nodes without a refusal: nothing', () => {
  assert.deepEqual(findIn(joinStorm, [new Life('seed').censuses(5, 300, 12), ...joining(12, 1)]), [])
})

test('as many over some minutes, or a refusal long after: nothing', () => {
  assert.deepEqual(findIn(joinStorm, [full(200), ...joining(12, 15)]), [])
  assert.deepEqual(findIn(joinStorm, [full(400), ...joining(12, 1)]), [])
})

test('another limit: nothing', () => {
  assert.deepEqual(findIn(joinStorm, [full(103, 'framesPerSecond'), ...joining(12, 1)]), [])
})

test('the storm names who joined in it, and who dials its node in vain', () => {
  const seed = '/ip4/10.0.0.1/udp/4001/quic-v1/p2p/peer-seed'
  const late = new Life('late').failing(0, seed, 4)
  const [finding] = findIn(joinStorm, [full(112), ...joining(12, 1), late, new Life('other').censuses(0, 300, 3)])
  assert.equal(finding?.alsoAt?.length, 13)
  assert.ok(finding?.alsoAt?.includes('late'))
})
