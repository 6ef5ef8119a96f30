import assert from 'node:assert/strict'
import { test } from 'node:test'
import { evidenceOf, growing, ProcessStory } from '../../testing/doctor/process-story.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { registryUnswept } from './registry-unswept.ts'

leakCheck()

type Counts = Readonly<Record<string, number>>

function withRegistry(name: string, countsAt: (seconds: number) => Counts, node = 'node-1', fromS = 0): ProcessStory {
  const story = new ProcessStory(node)
  return story.censuses(10, undefined, (s) => {
    if (s >= fromS) story.registry(name, s, `${node}/part`, countsAt(s - fromS))
  })
}

const insertOnly = (perMinute: number) => (s: number) => ({ size: growing(perMinute)(s), added: growing(perMinute)(s) })
const find = (...stories: readonly ProcessStory[]) => registryUnswept.find(evidenceOf(stories))

test('entries that are added and never released: the releases that stand still are in the summary', () => {
  const [finding] = find(withRegistry('requests', insertOnly(30)))
  assert.equal(finding?.owner.part, 'registry requests of node-1/part')
  assert.match(finding?.summary ?? '', /285 were added, 0 removed, 0 expired, 0 evicted/)
})

test('members that are never released: what is older than the retention grows', () => {
  assert.equal(find(withRegistry('members', insertOnly(30))).length, 1)
})

test('members that are released after their retention: nothing', () => {
  const counts = (s: number) => ({ size: Math.min(75, s / 2), added: s / 2, released: Math.max(0, s / 2 - 75) })
  assert.deepEqual(find(withRegistry('members', counts)), [])
})

test('a registry that grows at all nodes: the node where it began is the owner', () => {
  const counts = insertOnly(30)
  const stories = ['node-1', 'node-2', 'node-3'].map((node, i) =>
    withRegistry('requests', counts, node, [240, 60, 180][i]),
  )
  const findings = find(...stories)
  assert.deepEqual(
    findings.map(({ owner, alsoAt }) => [owner.node, alsoAt]),
    [['node-2', ['node-3', 'node-1']]],
  )
})

test('counts that do not add up: certain', () => {
  const story = new ProcessStory('node-1').censuses(5).broken('registry-conserved', 'node-1/view members', 95, 275)
  const [finding] = find(story)
  assert.deepEqual([finding?.certainty, finding?.owner.part], ['certain', 'registry members of node-1/view'])
})

test('the ring of messages that fills up: nothing', () => {
  assert.deepEqual(find(withRegistry('messages', insertOnly(100))), [])
})

test('handlers that an application registers at its start: nothing', () => {
  assert.deepEqual(find(withRegistry('requests', (s) => ({ size: Math.min(40, s), added: Math.min(40, s) }))), [])
})

test('a registry of the application: nothing, since another rule has it', () => {
  const story = new ProcessStory('node-1')
  story.censuses(10, undefined, (s) => story.registry('application', s, 'node-1/application', insertOnly(30)(s)))
  assert.deepEqual(find(story), [])
})

test('a registry that is full, and evicts an entry for each that comes: likely', () => {
  const counts = (s: number) => ({ size: 100, capacity: 100, added: 100 + s, released: s, evicted: s })
  assert.match(find(withRegistry('members', counts))[0]?.summary ?? '', /full with 100 entries: \d+ were evicted/)
})

test('a full registry whose entries expire, too: nothing', () => {
  const counts = (s: number) => ({
    size: 100,
    capacity: 100,
    added: 100 + 2 * s,
    released: 2 * s,
    evicted: s,
    expired: s,
  })
  assert.deepEqual(find(withRegistry('members', counts)), [])
})

test('a cache of seen messages that is full: nothing', () => {
  const counts = (s: number) => ({ size: 100, capacity: 100, added: 100 + s, released: s, evicted: s })
  assert.deepEqual(find(withRegistry('relay_seen', counts)), [])
})

test('a node whose spans of registries are dropped by sampling: the size of the census is enough', () => {
  const sizes = (s: number) => ({ 'mesh.registry.requests.size': growing(30)(s), 'mesh.registry.members.size': 4 + s })
  assert.deepEqual(
    find(new ProcessStory('node-1').censuses(10, sizes)).map(({ owner }) => owner.part),
    ['registry requests'],
  )
})

test('members that stay for the hour that their node is set to wait: nothing', () => {
  const story = withRegistry('members', insertOnly(30))
  assert.deepEqual(find(story.span('mesh.node.started', 0, { 'mesh.node.staleness_ms': 3_600_000 })), [])
})
