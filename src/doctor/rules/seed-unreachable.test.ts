import assert from 'node:assert/strict'
import { test } from 'node:test'
import { brief, findIn, Life } from '../../testing/doctor/life.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { seedUnreachable } from './seed-unreachable.ts'

leakCheck()

const seed = '/ip4/10.0.0.1/udp/4001/quic-v1'

test('a seed that was given up: certain, with the stage', () => {
  const life = new Life('a').failing(0, seed, 10, { stage: 'resolve', errorType: 'ENOTFOUND' })
  const [finding] = findIn(seedUnreachable, [life])
  assert.equal(finding && brief(finding), `certain a: seed ${seed}`)
  assert.match(finding?.summary ?? '', /10 attempts of 1 node failed .* resolve ENOTFOUND \(10\)/)
})

test('two minutes of failures: certain, in less: nothing', () => {
  assert.equal(findIn(seedUnreachable, [new Life('a').failing(0, seed, 9)]).length, 1)
  assert.deepEqual(findIn(seedUnreachable, [new Life('a').failing(0, seed, 7)]), [])
})

test('several nodes that do not reach it: one finding of the mesh', () => {
  const lives = ['a', 'b'].map((node) => new Life(node).failing(0, seed, 10))
  assert.deepEqual(findIn(seedUnreachable, lives).map(brief), [`certain mesh: seed ${seed}`])
})

test('a seed that starts late: nothing', () => {
  assert.deepEqual(findIn(seedUnreachable, [new Life('a').failing(0, seed, 9).reached(150, seed)]), [])
})

test('a seed whose peer is linked through another address: nothing', () => {
  const life = new Life('a').failing(0, seed, 9).span('mesh.path.blocked', 150, { 'mesh.seed.address': seed })
  assert.deepEqual(findIn(seedUnreachable, [life]), [])
})
