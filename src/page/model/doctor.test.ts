import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Report, ReportedFinding } from '../../doctor/report/report.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { basisText, gapTexts, groupsOf, growthText, headline, resolutionText, symptomsText } from './doctor.ts'

leakCheck()

const evidence: Report['evidence'] = {
  fromMs: 1_800_000_000_000,
  toMs: 1_800_000_900_000,
  meshes: ['mesh-a', 'mesh-b'],
  nodes: 18,
  processes: 19,
  censuses: 19,
  spans: 7_300,
  foreign: 0,
  duplicates: 0,
  dropped: 0,
  omitted: 0,
  churnEvents: 40,
  versions: ['0.1.0'],
  complete: true,
  partial: [],
  read: ['all spans of mesh-a', 'all spans of mesh-b'],
  bytes: 1,
  requests: 1,
}

test('the headline: sure findings are counted, and a verdict without any is in words', () => {
  const finding = (certainty: string) => ({ certainty }) as ReportedFinding
  const ill = { verdict: 'ill', findings: [finding('certain'), finding('insufficient')] } as const
  assert.equal(headline(ill), '1 finding')
  assert.equal(headline({ verdict: 'healthy', findings: [] }), 'Healthy: nothing found')
  assert.match(headline({ verdict: 'unclear', findings: [] }), /^Unclear/)
})

test('what a verdict rests on: nodes, spans, their time and what was read', () => {
  assert.match(
    basisText({ evidence }),
    /^18 nodes \(19 processes\) of mesh-a, mesh-b: 7300 spans from .+ to .+, 15 min\. Read: all spans of mesh-a; all spans of mesh-b\.$/,
  )
  assert.equal(basisText({ evidence: { ...evidence, fromMs: null, spans: 3 } }), '3 spans, none of a mesh.')
})

test('gaps: why the evidence is incomplete, the first six and how many more', () => {
  const partial = ['a', 'b', 'c', 'd', 'e', 'f']
  const gaps = gapTexts({ evidence: { ...evidence, partial, censuses: 18, omitted: 4 } })
  assert.deepEqual(gaps, [...partial, '2 more'])
  assert.deepEqual(gapTexts({ evidence: { ...evidence, censuses: 18 } }), ['1 process without a census'])
})

test('the resolution: the smallest leak that would have shown, or why none would', () => {
  const smallest = { kind: 'heap', node: 'a', bytes: 1_300_000, perHour: 5_200_000, perEvent: 3_250 } as const
  const resolution = { judged: 18, unjudged: 1, heap: smallest, external: { ...smallest, perEvent: undefined } }
  assert.equal(
    resolutionText({ resolution }),
    'A leak that nothing counts would show from 1.3 MB (3.25 kB per connection) of heap, and 1.3 MB of buffers on. 1 of 19 processes had too few collections.',
  )
  const none = { judged: 0, unjudged: 3, heap: undefined, external: undefined }
  assert.match(resolutionText({ resolution: none }), /^No process has had four major collections/)
})

test('growth and symptoms: in units for people, and nodes by symptom', () => {
  const growth = { from: 1e6, to: 2.5e7, unit: 'By', perHour: 9e7, perEvent: 512 }
  assert.equal(growthText(growth), 'from 1 MB to 25 MB: 90 MB per hour, 512 B per connection')
  assert.equal(
    growthText({ from: 0, to: 40, unit: 'timers', perHour: 60, perEvent: undefined }),
    'from 0 timers to 40 timers: 60 timers per hour',
  )
  const symptom = (title: string, node: string) => ({ title, owner: { node } }) as ReportedFinding['symptoms'][number]
  const symptoms = [symptom('Alone', 'a'), symptom('Alone', 'b'), symptom('Retry storm', '')]
  assert.equal(symptomsText({ symptoms }), 'Alone (a, b); Retry storm')
})

test('groups: the same fault of several nodes is one, of another mesh or certainty another', () => {
  const of = (certainty: string, mesh: string, node: string) =>
    ({ disease: 'alone', certainty, owner: { mesh, node } }) as ReportedFinding
  const findings = [of('certain', 'a', '1'), of('certain', 'b', '2'), of('certain', 'a', '3'), of('likely', 'a', '4')]
  assert.deepEqual(
    groupsOf({ findings }).map(({ first, others }) => [first.owner.node, others.map(({ owner }) => owner.node)]),
    [
      ['1', ['3']],
      ['2', []],
      ['4', []],
    ],
  )
})
