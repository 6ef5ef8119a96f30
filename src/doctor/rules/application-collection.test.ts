import assert from 'node:assert/strict'
import { test } from 'node:test'
import { evidenceOf, growing, ProcessStory, processWith } from '../../testing/doctor/process-story.ts'
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
