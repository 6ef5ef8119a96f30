import assert from 'node:assert/strict'
import { test } from 'node:test'
import { brief, findIn, Life, type LifeOptions } from '../../testing/doctor/life.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { selfSeed } from './self-seed.ts'

leakCheck()

const own = '/ip4/10.0.0.1/udp/4001/quic-v1'
const other = '/ip4/10.0.0.2/udp/4001/quic-v1'

function selfish(others: readonly string[], links: number, options: LifeOptions = {}): Life {
  const life = new Life('a', options)
    .campaign(0, own)
    .span('mesh.seed.self', 0, { 'mesh.seed.address': own, 'mesh.seed.others': others.length })
  for (const seed of others) life.campaign(0, seed).reached(1, seed)
  return life.censuses(5, 300, links)
}

const neighbour = (seed: string) => new Life('b').campaign(0, seed).censuses(5, 300, 1)

test('a node whose only seed is itself, without peers: certain', () => {
  assert.deepEqual(findIn(selfSeed, [selfish([], 0), neighbour(own)]).map(brief), [`certain a: seed ${own}`])
})

test('a node among whose seeds is itself, which no other node has: certain', () => {
  const [finding] = findIn(selfSeed, [selfish([other], 2), neighbour(other)])
  assert.equal(finding && brief(finding), `certain a: seed ${own}`)
  assert.match(finding?.summary ?? '', /no other node has that seed/)
})

test('one list for all nodes: nothing', () => {
  assert.deepEqual(findIn(selfSeed, [selfish([other], 2), neighbour(own)]), [])
  assert.deepEqual(findIn(selfSeed, [selfish([], 2), neighbour(own)]), [])
})

test('a seed that waits for the first other node: nothing', () => {
  assert.deepEqual(findIn(selfSeed, [selfish([], 0, { role: 'seed' })]), [])
})

test('the span of it is missing, and the censuses have the state: certain', () => {
  const life = new Life('a').campaign(0, own).censuses(5, 300, 0, [`${own} self 1 0/10 -`])
  assert.deepEqual(findIn(selfSeed, [life, neighbour(own)]).map(brief), [`certain a: seed ${own}`])
})

test('a node that was stopped: nothing', () => {
  assert.deepEqual(findIn(selfSeed, [selfish([], 0).span('mesh.node.stopped', 300), neighbour(own)]), [])
})
