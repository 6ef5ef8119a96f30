import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../../testing/leak-check.ts'
import { pageMesh, pagePeer } from '../../testing/page/page-mesh.ts'
import type { BootStep } from '../mesh-view.ts'
import { bootChart, type ExpirySearch, findNode, isPeerId, nextPollMs, noExpiryText, uniqueNames } from './mesh.ts'

leakCheck()

const boot = (node: string, startMs: number, tookMs: number): BootStep[] => [
  { node, what: 'started', atMs: startMs },
  { node, what: 'all members', atMs: startMs + tookMs },
]

test('a node that starts an hour late: its lane has its own base, the scale stays that of the others', () => {
  const { lanes, scaleMs } = bootChart([
    ...boot('a', 100, 900),
    ...boot('late', 3_600_000, 700),
    ...boot('b', 300, 900),
  ])
  assert.deepEqual(
    lanes.map(({ node, baseMs, isLate }) => [node, baseMs, isLate]),
    [
      ['a', 100, false],
      ['b', 100, false],
      ['late', 3_600_000, true],
    ],
  )
  assert.equal(scaleMs, 1_100)
})

test('boot steps before any node is complete: all lanes share one base; no steps: the scale is 1', () => {
  const started = (node: string, atMs: number): BootStep => ({ node, what: 'started', atMs })
  assert.equal(bootChart([started('a', 0), started('b', 60_000)]).scaleMs, 60_000)
  assert.deepEqual(bootChart([]), { lanes: [], scaleMs: 1 })
})

test('names: unique in a lab if one node has them, never unique on an observer', () => {
  const view = pageMesh(3)
  assert.ok(uniqueNames(view).has('seed-a1'))
  const [one, other] = view.nodes
  assert.ok(one !== undefined && other !== undefined)
  const twice = { ...view, nodes: [one, { ...other, name: one.name }] }
  assert.equal(uniqueNames(twice).has(one.name), false)
  assert.equal(uniqueNames({ ...view, from: 'observer' }).size, 0)
})

test('a peer whose name is the id of another node: the id finds the other node', () => {
  const { nodes } = pageMesh(3)
  const [one, other] = nodes
  assert.ok(one !== undefined && other !== undefined)
  const view = { nodes: [{ ...one, name: other.id }, other] }
  assert.equal(findNode(view, other.id), other)
  assert.equal(findNode({ nodes }, 'seed-a1'), one)
  assert.ok(isPeerId(pagePeer('seeda1')))
  for (const name of ['seed-a1', '12D3KooWshort', `Qm${'0'.repeat(44)}`]) assert.ok(!isPeerId(name), name)
})

test('the search for expiries polls until all have come or none can come', () => {
  const watch = (changes: Partial<ExpirySearch>): ExpirySearch => ({
    fate: 'killed',
    isMember: true,
    searchAgeMs: 1_000,
    expiryAgeMs: undefined,
    ...changes,
  })
  const cases: readonly (readonly [Partial<ExpirySearch>, number | undefined])[] = [
    [{}, 2_000],
    [{ searchAgeMs: 600_000 }, 2_000],
    [{ isMember: false }, 2_000],
    [{ isMember: false, expiryAgeMs: 3_000 }, 2_000],
    [{ isMember: false, expiryAgeMs: 16_000 }, undefined],
    [{ isMember: false, searchAgeMs: 121_000 }, undefined],
    [{ fate: 'removed', isMember: false, searchAgeMs: 121_000 }, undefined],
    [{ fate: 'failed' }, 2_000],
    [{ fate: 'running' }, 15_000],
    [{ fate: 'stopped' }, undefined],
    [{ fate: 'waiting' }, undefined],
  ]
  for (const [changes, ms] of cases) assert.equal(nextPollMs(watch(changes)), ms, JSON.stringify(changes))
  const texts = [
    noExpiryText('killed', true),
    noExpiryText('removed', false),
    noExpiryText('stopped', false),
    noExpiryText('waiting', false),
    noExpiryText('running', true),
  ]
  assert.equal(new Set(texts).size, texts.length)
})
