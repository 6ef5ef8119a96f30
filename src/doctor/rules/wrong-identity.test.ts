import assert from 'node:assert/strict'
import { test } from 'node:test'
import { brief, findIn, Life } from '../../testing/doctor/life.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { seedUnreachable } from './seed-unreachable.ts'
import { wrongIdentity } from './wrong-identity.ts'

leakCheck()

const address = '/ip4/10.0.0.1/udp/4001/quic-v1/p2p/former'
const wrong = { stage: 'handshake', errorType: 'UnexpectedPeer' }

test('attempts that meet another peer: certain, and the seed does not count as unreachable', () => {
  const life = new Life('a').failing(0, address, 10, wrong).censuses(5, 200, 0)
  assert.deepEqual(findIn(wrongIdentity, [life]).map(brief), [`certain a: seed ${address}`])
  assert.deepEqual(findIn(seedUnreachable, [life]), [])
})

test('a seed with a new key that several nodes name by the old one: one finding of the mesh', () => {
  const lives = ['a', 'b', 'c'].map((node) => new Life(node).failing(0, address, 4, wrong))
  const [finding, ...others] = findIn(wrongIdentity, lives)
  assert.deepEqual([finding && brief(finding), others], [`certain mesh: seed ${address}`, []])
  assert.deepEqual(finding?.alsoAt, ['a', 'b', 'c'])
})

test('a single such attempt: nothing', () => {
  assert.deepEqual(findIn(wrongIdentity, [new Life('a').failing(0, address, 1, wrong)]), [])
})

test('such attempts, and then the right peer: nothing', () => {
  assert.deepEqual(findIn(wrongIdentity, [new Life('a').failing(0, address, 4, wrong).reached(70, address)]), [])
})

test('a seed that does not answer: nothing', () => {
  assert.deepEqual(findIn(wrongIdentity, [new Life('a').failing(0, address, 9)]), [])
})
