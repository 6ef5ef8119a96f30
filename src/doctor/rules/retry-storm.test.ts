import assert from 'node:assert/strict'
import { test } from 'node:test'
import { brief, findIn, Life } from '../../testing/doctor/life.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { retryStorm } from './retry-storm.ts'

leakCheck()

const seed = '/ip4/10.0.0.1/udp/4001/quic-v1'
const quiet = (node: string) => new Life(node).censuses(0, 300, 2)
const retrying = (node: string) => new Life(node).censuses(0, 5, 2).failing(10, seed, 9).censuses(150, 160, 2)

test('three of four nodes that retry one seed for minutes: a storm of the mesh', () => {
  const lives = [...['a', 'b', 'c'].map(retrying), quiet('d')]
  const [finding] = findIn(retryStorm, lives)
  assert.equal(finding && brief(finding), `certain mesh: seed ${seed}`)
  assert.match(finding?.summary ?? '', /3 of 4 running nodes/)
})

/** Loses the seed at a time, and fails once more than `count` times until the end of the evidence. */
const lost = (node: string, count: number) => {
  const life = new Life(node).censuses(0, 60, 2).reached(5, seed).campaign(70, seed, 2, 'lost')
  for (let attempt = 1; attempt <= count; attempt++) life.failed(70 + 16 * attempt, seed, attempt)
  const waits = { 'mesh.seed.address': seed, 'mesh.seed.attempt': count + 1, 'mesh.seed.delay_ms': 30_000 }
  return life.span('mesh.seed.retry', 70 + 16 * (count + 1), waits)
}

test('nodes that wait for their next attempt at the end of the evidence: a storm for as long as they wait', () => {
  const ended = (node: string) => lost(node, 4).span('mesh.window', 180)
  assert.equal(findIn(retryStorm, ['a', 'b', 'c'].map(ended)).length, 1)
})

test('the same for less time, as while a seed restarts: nothing', () => {
  const ended = (node: string) => lost(node, 2).span('mesh.window', 135)
  assert.deepEqual(findIn(retryStorm, ['a', 'b', 'c'].map(ended)), [])
})

test('two of four nodes, or three of eight: nothing', () => {
  assert.deepEqual(findIn(retryStorm, [...['a', 'b'].map(retrying), quiet('c'), quiet('d')]), [])
  const eight = [...['a', 'b', 'c'].map(retrying), ...['d', 'e', 'f', 'g', 'h'].map(quiet)]
  assert.deepEqual(findIn(retryStorm, eight), [])
})

test('a seed that all reach after minutes: nothing', () => {
  const lives = ['a', 'b', 'c'].map((node) => new Life(node).failing(0, seed, 9).reached(150, seed))
  assert.deepEqual(findIn(retryStorm, lives), [])
})

test('attempts that follow each other sooner than delays allow: a storm of that node', () => {
  const life = new Life('a').campaign(0, seed)
  for (let attempt = 1; attempt < 9; attempt++) life.failed(0.1 * attempt, seed, attempt)
  const [finding] = findIn(retryStorm, [life, quiet('b'), quiet('c')])
  assert.match(finding?.summary ?? '', /7 attempts followed a failure sooner/)
  assert.equal(finding?.owner.node, 'a')
})

test('the same, of which only the first and the last attempt arrived: a storm of that node', () => {
  const life = new Life('a').campaign(0, seed).failed(0.1, seed, 1).failed(0.9, seed, 9)
  assert.match(findIn(retryStorm, [life])[0]?.summary ?? '', /8 attempts followed a failure sooner/)
})

test('delays of half a step: nothing', () => {
  const life = new Life('a').campaign(0, seed)
  let atS = 0
  for (const [index, delayS] of [0.5, 1, 2, 4, 8, 15, 15, 15].entries()) {
    life.failed(atS, seed, index + 1)
    atS += delayS
  }
  assert.deepEqual(findIn(retryStorm, [life]), [])
})

test('a seed that hangs up: ten campaigns within a minute are a storm, six are not', () => {
  const flapping = (count: number) => {
    const life = new Life('a')
    for (let number = 1; number <= count; number++)
      life.campaign(5 * number, seed, number, 'lost').reached(5 * number, seed)
    return life
  }
  assert.equal(findIn(retryStorm, [flapping(10)]).length, 1)
  assert.deepEqual(findIn(retryStorm, [flapping(6)]), [])
})
