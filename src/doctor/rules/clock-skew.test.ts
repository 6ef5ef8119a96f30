import assert from 'node:assert/strict'
import { test } from 'node:test'
import { brief, findIn, Life } from '../../testing/doctor/life.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { clockSkew } from './clock-skew.ts'

leakCheck()

/** A node that says by how many seconds the clocks of others are ahead of its own. */
function reporter(node: string, skews: Readonly<Record<string, number>>, linked: readonly string[] = []): Life {
  const life = new Life(node).censuses(5, 100, 2)
  for (const name of linked) life.span('mesh.hello.received', 3, { 'mesh.peer.name': name })
  for (const [name, skewS] of Object.entries(skews))
    life.span('mesh.clock.skewed', 20, { 'mesh.peer.name': name, 'mesh.clock.skew_ms': 1_000 * skewS })
  return life
}

test('a node that all others report: certain, with its skew', () => {
  const [finding, ...others] = findIn(
    clockSkew,
    ['b', 'c', 'd'].map((node) => reporter(node, { a: 30 })),
  )
  assert.deepEqual([finding && brief(finding), others], ['certain a: clock', []])
  assert.equal(finding?.summary, 'its clock is 30 s ahead of that of b, c, d')
})

test('a node that reports all others: its own clock', () => {
  const [finding, ...others] = findIn(clockSkew, [
    reporter('a', { b: 30, c: 30 }),
    reporter('b', {}),
    reporter('c', {}),
  ])
  assert.deepEqual([finding && brief(finding), others], ['certain a: clock', []])
  assert.match(finding?.summary ?? '', /30 s behind that of b, c/)
})

test('two that report each other: the one that agrees with another neighbour is right', () => {
  const lives = [reporter('a', { b: -30 }, ['b']), reporter('b', { a: 30 }, ['a', 'c']), reporter('c', {}, ['b'])]
  assert.deepEqual(findIn(clockSkew, lives).map(brief), ['certain a: clock'])
})

test('the same, and spans of one of them are missing, of which one may be another link: not enough evidence', () => {
  const lives = [reporter('a', { b: -30 }, ['b']), reporter('b', { a: 30 }, ['a', 'c']), reporter('c', {}, ['b'])]
  lives[0]?.spans.splice(1, 2)
  const [finding] = findIn(clockSkew, lives)
  assert.deepEqual([finding?.certainty, finding?.alsoAt], ['insufficient', ['b']])
  assert.match(finding?.missing ?? '', /2 spans of a/)
})

test('two alone: not enough evidence', () => {
  const [finding] = findIn(clockSkew, [reporter('a', { b: -30 }, ['b']), reporter('b', { a: 30 }, ['a'])])
  assert.equal(finding?.certainty, 'insufficient')
  assert.match(finding?.missing ?? '', /^a third node/)
})

test('two wrong clocks: one finding each', () => {
  const lives = ['c', 'd', 'e'].map((node) => reporter(node, { a: 30, b: -60 }))
  assert.deepEqual(findIn(clockSkew, lives).map(brief), ['certain a: clock', 'certain b: clock'])
})

test('nodes without a report: nothing', () => {
  assert.deepEqual(findIn(clockSkew, [reporter('a', {}, ['b']), reporter('b', {}, ['a'])]), [])
})
