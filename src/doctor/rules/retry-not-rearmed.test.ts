import assert from 'node:assert/strict'
import { test } from 'node:test'
import { brief, findIn, Life } from '../../testing/doctor/life.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { retryNotRearmed } from './retry-not-rearmed.ts'
import { seedDialledOnce } from './seed-dialled-once.ts'
import { seedUnreachable } from './seed-unreachable.ts'

leakCheck()

const seed = '/ip4/10.0.0.1/udp/4001/quic-v1'
const givenUp = [`${seed} given-up 1 10/10 0`]

test('a give-up of a node without peers, and no attempt for minutes: likely, and not unreachable', () => {
  const life = new Life('a').failing(0, seed, 10).censuses(5, 320, 0, givenUp)
  assert.deepEqual(findIn(retryNotRearmed, [life]).map(brief), [`likely a: seed ${seed}`])
  assert.deepEqual([...findIn(seedUnreachable, [life]), ...findIn(seedDialledOnce, [life])], [])
})

test('a give-up of a node with peers: five minutes are no fault, more are one', () => {
  const until = (endS: number) => [new Life('a').failing(0, seed, 10).censuses(5, endS, 3)]
  assert.deepEqual(findIn(retryNotRearmed, until(440)), [])
  assert.deepEqual(findIn(retryNotRearmed, until(620)).map(brief), [`likely a: seed ${seed}`])
})

test('the loss of the last peer, and no campaign: likely', () => {
  const connected = [`${seed} connected 1 1/10 -`]
  const life = new Life('a').campaign(0, seed).reached(1, seed).censuses(5, 95, 1, connected)
  const [finding] = findIn(retryNotRearmed, [life.censuses(125, 305, 0, connected)])
  assert.match(finding?.summary ?? '', /^the node lost its last peer/)
})

test('a give-up after which the node dials as it should: nothing', () => {
  const life = new Life('a').failing(0, seed, 10)
  for (let atS = 175; atS < 420; atS += 30) life.campaign(atS, seed, 2, 'alone').failed(atS, seed, 1)
  assert.deepEqual(findIn(retryNotRearmed, [life.censuses(5, 420, 0, [`${seed} waiting 2 3/10 9000`])]), [])
})

test('a campaign that ended in success, after which nothing more is said of the seed: nothing', () => {
  const life = new Life('a').failing(0, seed, 5).reached(90, seed).censuses(5, 900, 2)
  assert.deepEqual(findIn(retryNotRearmed, [life]), [])
})

test('a lost seed of a node that has other peers: nothing', () => {
  const life = new Life('a').campaign(0, seed).reached(1, seed).censuses(5, 900, 2)
  assert.deepEqual(findIn(retryNotRearmed, [life]), [])
})

test('two censuses with the same attempt as due: likely at once, whatever spans are missing', () => {
  const life = new Life('a').failing(0, seed, 8).censuses(200, 230, 0, givenUp)
  life.spans.splice(3, 2)
  assert.deepEqual(findIn(retryNotRearmed, [life]).map(brief), [`likely a: seed ${seed}`])
})

test('spans of the give-up are missing, and the census has the next attempt in minutes: nothing', () => {
  const life = new Life('a').failing(0, seed, 9).censuses(160, 300, 3, [`${seed} given-up 1 10/10 200000`])
  assert.deepEqual(findIn(retryNotRearmed, [life]), [])
})

test('a campaign that began and made no attempt, of which one span arrived: likely', () => {
  const begun = [`${seed} waiting 2 0/10 0`]
  const life = new Life('a').reached(1, seed).censuses(5, 95, 1).span('mesh.seed.rearmed', 97, {
    'mesh.seed.address': seed,
    'mesh.seed.campaign': 2,
  })
  life.censuses(125, 305, 0, begun)
  assert.deepEqual(findIn(retryNotRearmed, [life]).map(brief), [`likely a: seed ${seed}`])
})
