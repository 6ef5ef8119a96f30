import assert from 'node:assert/strict'
import { test } from 'node:test'
import { brief, findIn, Life } from '../../testing/doctor/life.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { starvedJudge } from './starved-judge.ts'

leakCheck()

function stalled(node: string, host: string, ...times: readonly number[]): Life {
  const life = new Life(node, { host }).censuses(5, 100, 2)
  for (const atS of times) life.span('mesh.node.stalled', atS, { 'mesh.stall.slept_ms': 9_000 })
  return life
}

test('a node that stalls again and again: certain', () => {
  const [finding] = findIn(starvedJudge, [stalled('a', 'h1', 30, 60, 90)])
  assert.equal(finding && brief(finding), 'certain a: process')
  assert.equal(finding?.summary, 'it did not run 3 times, 9 s at most')
})

test('two nodes of one machine: one finding, of the worse one', () => {
  const [finding, ...others] = findIn(starvedJudge, [
    stalled('a', 'h1', 30, 60, 90),
    stalled('b', 'h1', 30, 60, 90, 99),
  ])
  assert.deepEqual([finding?.owner.node, finding?.alsoAt, others], ['b', ['a'], []])
})

test('a laptop that sleeps twice: nothing', () => {
  assert.deepEqual(findIn(starvedJudge, [stalled('a', 'h1', 30, 4_000)]), [])
})

test('a stall every hour: nothing', () => {
  assert.deepEqual(findIn(starvedJudge, [stalled('a', 'h1', 30, 3_630, 7_230)]), [])
})

test('two stalls and missing spans: not enough evidence', () => {
  const life = stalled('a', 'h1', 30, 60, 90)
  life.spans.splice(-1)
  life.span('mesh.node.started', 95).spans.splice(1, 1)
  assert.deepEqual(findIn(starvedJudge, [life]).map(brief), ['insufficient a: process'])
})
