import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cleanCounts, evidenceOf, growing, ProcessStory, processWith } from '../../testing/doctor/process-story.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { applicationCollection } from './application-collection.ts'

leakCheck()

const withSizes = (sizeAt: (seconds: number) => number) =>
  processWith((s) => ({ 'mesh.audit.applications': [`sessions ${sizeAt(s)}`] }))
const find = (story: ProcessStory) => applicationCollection.find(evidenceOf([story]))

test('a collection that grows: the finding names it, and its rate', () => {
  const [finding, ...others] = find(withSizes(growing(60, 120)))
  assert.equal(others.length, 0)
  assert.deepEqual(finding?.owner, {
    mesh: 'mesh-a',
    node: 'node-1',
    instance: 'node-1',
    part: 'application collection sessions',
  })
  assert.equal(finding?.certainty, 'likely')
  assert.equal(finding?.growth?.perHour, 3_600)
})

test('a registry of the application that grows: the summary says what left it', () => {
  const story = withSizes(growing(60))
  story.registry('application', 400, 'node-1/application', { size: 400, added: 400 })
  story.registry('application', 500, 'node-1/application', { size: 500, added: 505, removed: 5, released: 5 })
  const renamed = new ProcessStory('node-1').censuses(10, (s) => ({
    'mesh.audit.applications': [`application ${growing(60)(s)}`],
  }))
  for (const { startMs, name, attributes } of story.spans)
    if (name === 'mesh.audit.application') renamed.span(name, (startMs - 1_800_000_000_000) / 1_000, attributes)
  assert.match(find(renamed)[0]?.summary ?? '', /105 were added, 5 removed and 0 expired/)
})

test('a collection above its own bound: certain, since the node says it', () => {
  const story = withSizes(growing(60)).broken('registry-bound', 'application sessions', 65, 605)
  const findings = find(story)
  assert.equal(findings.length, 1)
  assert.equal(findings[0]?.certainty, 'certain')
})

test('a collection that filled up to its bound: nothing', () => {
  assert.deepEqual(find(withSizes((s) => Math.min(100, s))), [])
})

test('a collection with two entries for each peer that joins: nothing', () => {
  const story = processWith((s) => ({ 'mesh.audit.connections': s, 'mesh.audit.applications': [`peers ${2 * s}`] }))
  assert.deepEqual(find(story), [])
})

test('a bound that was broken for one census: nothing', () => {
  const story = withSizes(() => 5).broken('registry-bound', 'application sessions', 65, 65)
  assert.deepEqual(find(story), [])
})

/** A registry with an entry for each of the peers that join, one every eight seconds. */
function joined(released: (seconds: number) => number, closedAt: (seconds: number) => number): ProcessStory {
  const story = new ProcessStory('node-1')
  const added = (s: number) => Math.floor(Math.max(0, s - 60) / 8)
  const size = (s: number) => added(s) - released(s)
  return story.censuses(
    3,
    (s) => ({ 'mesh.audit.applications': [`joined ${size(s)}`], 'mesh.audit.closed_total': closedAt(s) }),
    (s) =>
      story.span('mesh.audit.application', s, {
        'mesh.registry.name': 'joined',
        'mesh.registry.size': size(s),
        'mesh.registry.added': added(s),
        'mesh.registry.released': released(s),
      }),
  )
}

test('a few entries that stay although their peers leave: likely', () => {
  const findings = find(joined(() => 0, growing(8)))
  assert.deepEqual(
    findings.map(({ certainty, owner }) => [certainty, owner.part]),
    [['likely', 'application collection joined']],
  )
})

test('a few entries, and nobody has left: nothing', () => {
  assert.deepEqual(
    find(
      joined(
        () => 0,
        () => 0,
      ),
    ),
    [],
  )
})

test('a few entries more, of a registry that releases some: nothing', () => {
  assert.deepEqual(find(joined((s) => (s > 120 ? 1 : 0), growing(8))), [])
})

test('a collection that grows, of which the censuses in the middle are missing: its own spans have the sizes', () => {
  const story = joined(() => 0, growing(8))
  const spans = story.spans.filter(({ name }, index) => name !== 'mesh.audit' || index < 4 || index > 9)
  const lossy = Object.create(story, { spans: { value: spans } }) as ProcessStory
  assert.equal(find(lossy)[0]?.certainty, 'likely')
})

interface Ledger {
  readonly added: number
  readonly removed?: number
}

/** A registry with what it counts at each second. */
function registryWith(ledgerAt: (seconds: number) => Ledger, capacity = 100_000, minutes = 15): ProcessStory {
  const story = new ProcessStory('node-1')
  const sizeAt = (s: number) => ledgerAt(s).added - (ledgerAt(s).removed ?? 0)
  return story.censuses(
    minutes,
    (s) => ({ 'mesh.audit.applications': [`carts ${sizeAt(s)}`] }),
    (s) => {
      const { added, removed = 0 } = ledgerAt(s)
      story.span('mesh.audit.application', s, {
        'mesh.registry.name': 'carts',
        'mesh.registry.capacity': capacity,
        'mesh.registry.size': added - removed,
        'mesh.registry.added': added,
        'mesh.registry.released': removed,
        'mesh.registry.removed': removed,
        'mesh.registry.expired': 0,
      })
    },
  )
}
const answers = (story: ProcessStory) =>
  find(story).map(({ certainty, missing = '' }) => [certainty, missing.split(':')[0]])

test('a cache that fills to the capacity that its application set: not enough evidence, and likely far from it', () => {
  const filling = (s: number) => ({ added: 3 * s })
  assert.deepEqual(answers(registryWith(filling, 10_000)), [['insufficient', 'what it does at its capacity of 10000']])
  assert.deepEqual(answers(registryWith(filling, 1_000_000)), [['likely', '']])
})

test('sessions of ever more users, nearly all of which end: not enough evidence', () => {
  const sessions = (s: number) => ({ added: 1_000 + 7 * s, removed: 950 + Math.round(6.6 * s) })
  assert.deepEqual(answers(registryWith(sessions)), [['insufficient', 'a longer window with a steady load']])
})

test('sessions of which a part stays, at a steady load over hours: likely', () => {
  const sessions = (s: number) => ({ added: 1_000 + 7 * s, removed: 950 + Math.round(6.6 * s) })
  assert.deepEqual(answers(registryWith(sessions, 100_000, 120)), [['likely', '']])
})

test('sessions of which half stay: likely', () => {
  assert.deepEqual(answers(registryWith((s) => ({ added: 4 * s, removed: 2 * s }))), [['likely', '']])
})

test('entries that come in bulk and never leave: not enough evidence, and nothing if they came once', () => {
  const inBulk = (everyS: number) => registryWith((s) => ({ added: 200 * Math.floor(s / everyS) }))
  assert.deepEqual(answers(inBulk(300)), [['insufficient', 'a longer window']])
  assert.deepEqual(find(inBulk(500)), [])
  const atStart = registryWith((s) => ({ added: Math.min(300, 2 * s) }))
  assert.deepEqual(find(atStart), [])
})

test('entries that come in bulk, of which some leave: nothing', () => {
  assert.deepEqual(find(registryWith((s) => ({ added: 200 * Math.floor(s / 300), removed: Math.floor(s / 300) }))), [])
})

const scaledOut = (each: number) =>
  processWith((s) => {
    const connections = 4 + Math.round(s / 15)
    return { ...cleanCounts({ connections }), 'mesh.audit.applications': [`offers ${each * connections}`] }
  }, 15)

test('five entries of each peer in a mesh that scales out: nothing, and likely where they are far more', () => {
  assert.deepEqual(find(scaledOut(5)), [])
  assert.equal(find(scaledOut(50)).length, 1)
})
