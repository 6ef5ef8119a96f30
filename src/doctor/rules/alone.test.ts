import assert from 'node:assert/strict'
import { test } from 'node:test'
import { brief, findIn, Life } from '../../testing/doctor/life.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { alone } from './alone.ts'

leakCheck()

const others = [new Life('b').censuses(5, 600, 1), new Life('c').censuses(5, 600, 1)]

test('a node without a link for minutes while others run: certain, with the reason', () => {
  const [finding, ...more] = findIn(alone, [new Life('a').censuses(5, 600, 0), ...others])
  assert.deepEqual([finding && brief(finding), more], ['certain a: links', []])
  assert.match(finding?.summary ?? '', /it has no seed, and nobody dials it/)
})

test('a node that lost all its links: since then', () => {
  const life = new Life('a').censuses(5, 275, 2).censuses(305, 600, 0)
  const [finding] = findIn(alone, [life, ...others])
  assert.equal((finding?.sinceMs ?? 0) - (life.spans[0]?.startMs ?? 0), 300_000)
})

test('a node that another mesh refuses, the only one of its own: certain', () => {
  const life = new Life('a', { mesh: 'mesh-b' }).censuses(5, 200, 0)
  for (const atS of [10, 20, 40]) life.span('mesh.link.refused', atS, { 'mesh.close.reason': 'foreign-mesh' })
  assert.match(findIn(alone, [life, ...others])[0]?.summary ?? '', /its links are refused \(foreign-mesh\)/)
})

test('the only node of its mesh: nothing', () => {
  assert.deepEqual(findIn(alone, [new Life('a').censuses(5, 600, 0)]), [])
})

test('a seed without seeds that started first: nothing', () => {
  assert.deepEqual(findIn(alone, [new Life('a', { role: 'seed' }).censuses(5, 600, 0, []), ...others]), [])
})

test('a node that was stopped, or is alone for a minute: nothing', () => {
  const stopped = new Life('a').censuses(5, 300, 0).span('mesh.node.stopped', 301)
  assert.deepEqual(findIn(alone, [stopped, ...others]), [])
  assert.deepEqual(findIn(alone, [new Life('a').censuses(5, 500, 2).censuses(530, 590, 0), ...others]), [])
})

test('a link between two censuses: nothing', () => {
  const life = new Life('a').censuses(5, 590, 0).span('mesh.hello.received', 580, {})
  assert.deepEqual(findIn(alone, [life, ...others]), [])
})

test('the last census is missing: not enough evidence', () => {
  const life = new Life('a').censuses(5, 365, 0).span('mesh.seed.dial', 420, {}).span('mesh.seed.dial', 421, {})
  life.spans.splice(-2, 1)
  assert.deepEqual(findIn(alone, [life, ...others]).map(brief), ['insufficient a: links'])
})

test('no span says which seeds it has, and spans are missing: not enough evidence', () => {
  const life = new Life('a').censuses(5, 600, 0)
  life.spans.splice(3, 1)
  assert.deepEqual(findIn(alone, [life, ...others]).map(brief), ['insufficient a: links'])
  const known = new Life('a').censuses(5, 600, 0, [])
  known.spans.splice(3, 1)
  assert.deepEqual(findIn(alone, [known, ...others]).map(brief), ['certain a: links'])
})
