import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../../testing/leak-check.ts'
import { pageMesh, pagePeer } from '../../testing/page-mesh.ts'
import type { BootStep } from '../mesh-view.ts'
import { bootChart } from './boot.ts'
import { askAgainMs, noExpiry, type Watch } from './expiry.ts'
import { findNode, isPeerId, ownNames } from './names.ts'

leakCheck()

const boot = (node: string, startMs: number, tookMs: number): BootStep[] => [
  { node, what: 'started', atMs: startMs },
  { node, what: 'all members', atMs: startMs + tookMs },
]

test('a node that is started an hour later does not ruin the scale of the others', () => {
  const { lanes, wholeMs } = bootChart([
    ...boot('a', 100, 900),
    ...boot('late', 3_600_000, 700),
    ...boot('b', 300, 900),
  ])
  assert.deepEqual(
    lanes.map(({ node, baseMs, later }) => [node, baseMs, later]),
    [
      ['a', 100, false],
      ['b', 100, false],
      ['late', 3_600_000, true],
    ],
  )
  assert.equal(wholeMs, 1_100)
})

test('as long as nobody knows everybody, all boot together; and nothing has a length of nothing', () => {
  const started = (node: string, atMs: number): BootStep => ({ node, what: 'started', atMs })
  assert.equal(bootChart([started('a', 0), started('b', 60_000)]).wholeMs, 60_000)
  assert.deepEqual(bootChart([]), { lanes: [], wholeMs: 1 })
})

test('a name stands for a node where it is its own, and on an observer never', () => {
  const view = pageMesh(3)
  assert.ok(ownNames(view).has('seed-a1'))
  const [one, other] = view.nodes
  assert.ok(one !== undefined && other !== undefined)
  const twice = { ...view, nodes: [one, { ...other, name: one.name }] }
  assert.equal(ownNames(twice).has(one.name), false)
  assert.equal(ownNames({ ...view, from: 'observer' }).size, 0)
})

test('a peer that calls itself by the id of another is not taken for it', () => {
  const { nodes } = pageMesh(3)
  const [one, other] = nodes
  assert.ok(one !== undefined && other !== undefined)
  const view = { nodes: [{ ...one, name: other.id }, other] }
  assert.equal(findNode(view, other.id), other)
  assert.equal(findNode({ nodes }, 'seed-a1'), one)
  assert.ok(isPeerId(pagePeer('seeda1')))
  for (const name of ['seed-a1', '12D3KooWshort', `Qm${'0'.repeat(44)}`]) assert.ok(!isPeerId(name), name)
})

test('expiries are waited for until they have come or can come no more', () => {
  const watch = (changes: Partial<Watch>): Watch => ({
    fate: 'killed',
    known: true,
    sinceMs: 1_000,
    foundMs: undefined,
    ...changes,
  })
  const cases: readonly (readonly [Partial<Watch>, number | undefined])[] = [
    [{}, 2_000],
    [{ sinceMs: 600_000 }, 2_000],
    [{ known: false }, 2_000],
    [{ known: false, foundMs: 3_000 }, 2_000],
    [{ known: false, foundMs: 16_000 }, undefined],
    [{ known: false, sinceMs: 121_000 }, undefined],
    [{ fate: 'gone', known: false, sinceMs: 121_000 }, undefined],
    [{ fate: 'running' }, 15_000],
    [{ fate: 'stopped' }, undefined],
    [{ fate: 'waiting' }, undefined],
  ]
  for (const [changes, ms] of cases) assert.equal(askAgainMs(watch(changes)), ms, JSON.stringify(changes))
  const said = [
    noExpiry('killed', true),
    noExpiry('gone', false),
    noExpiry('stopped', false),
    noExpiry('waiting', false),
    noExpiry('running', true),
  ]
  assert.equal(new Set(said).size, said.length)
})
