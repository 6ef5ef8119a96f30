import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Report, ReportedFinding } from '../../doctor/report/report.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import {
  gapTexts,
  groupsOf,
  growthText,
  headline,
  mixtureTexts,
  othersText,
  processText,
  readingText,
  resolutionText,
  scopeText,
  sentence,
  symptomsText,
} from './doctor.ts'

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
  sharedNames: [],
  complete: true,
  partial: [],
  read: ['all spans of mesh-a', 'all spans of mesh-b'],
  bytes: 1,
  requests: 1,
}

test('the headline: sure findings are counted, and a verdict without any is in words', () => {
  const finding = (certainty: string) => ({ certainty }) as ReportedFinding
  const ill = { verdict: 'ill', findings: [finding('certain'), finding('insufficient')] } as const
  assert.equal(headline(ill), 'ill: 1 finding')
  assert.equal(headline({ verdict: 'healthy', findings: [] }), 'healthy: nothing found')
  assert.match(headline({ verdict: 'unclear', findings: [] }), /^unclear/)
})

test('what a verdict rests on: nodes, spans, their time and what was read', () => {
  assert.match(
    scopeText({ evidence }),
    /^18 nodes \(19 processes\) of mesh-a, mesh-b, 7300 spans, 40 connections opened, .+ to .+, 15 min$/,
  )
  assert.equal(readingText({ evidence }), 'all spans of mesh-a; all spans of mesh-b: 1 B in 1 request')
  assert.equal(scopeText({ evidence: { ...evidence, fromMs: null, spans: 3 } }), '3 spans, none of a mesh')
  assert.equal(sentence('3 spans, none of a mesh'), '3 spans, none of a mesh.')
})

test('two builds, and two nodes of one name: a text for each; of one build nothing', () => {
  assert.deepEqual(mixtureTexts({ evidence }), [])
  const mixed = { ...evidence, versions: ['0.1.0', '0.2.0'], sharedNames: ['node-3 of mesh-a'] }
  assert.deepEqual(mixtureTexts({ evidence: mixed }), [
    '2 builds are mixed: 0.1.0, 0.2.0',
    'several processes at once have the name node-3 of mesh-a: give each node a name of its own',
  ])
})

test('a process of a node with several: its instance, peer and time', () => {
  const process = { instance: '5e0c', peer: '12D3KooWJ1QzLxYkPp3abcdefgh', fromMs: Date.now(), toMs: Date.now() }
  assert.match(processText(process), /^5e0c \(peer …abcdefgh\), \d\d:\d\d:\d\d to \d\d:\d\d:\d\d$/)
  const other = { owner: { part: 'timers', node: 'node-3' }, process } as ReportedFinding
  assert.equal(othersText([other]), 'timers at node-3 (process 5e0c)')
})

test('gaps: why the evidence is incomplete, the first six and how many more', () => {
  const partial = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']
  const gaps = gapTexts({ evidence: { ...evidence, partial, censuses: 18, omitted: 4 } })
  assert.deepEqual(gaps, [
    ...partial.slice(0, 6),
    '2 more problems',
    '1 process without a census',
    '4 series found no room',
  ])
  assert.deepEqual(gapTexts({ evidence: { ...evidence, censuses: 18 } }), ['1 process without a census'])
})

test('one problem of several questions: one line, without what its addresses ask', () => {
  const minute = (at: number) =>
    `mesh-a, 2026-11-30T10:0${at}: http://store/api/v3/traces?query.service_name=mesh-a&query.start_time_min=2026-11-30T10%3A0${at} answered 503: busy`
  const partial = [minute(1), minute(2), minute(3), 'spans.jsonl: 3 lines are no spans']
  assert.deepEqual(gapTexts({ evidence: { ...evidence, partial } }), [
    'mesh-a, 2026-11-30T10:01; mesh-a, 2026-11-30T10:02 and 1 more: http://store/api/v3/traces answered 503: busy',
    'spans.jsonl: 3 lines are no spans',
  ])
})

test('the resolution: the smallest leak that would have shown, or why none would', () => {
  const smallest = { kind: 'heap', node: 'a', bytes: 1_300_000, perHour: 5_200_000, perEvent: 3_250 } as const
  const external = { ...smallest, perEvent: undefined }
  const resolution = { processesWith: 18, processesWithout: 1, heap: smallest, external }
  assert.equal(
    resolutionText({ resolution }),
    'a leak that nothing counts would show from 1.3 MB (5.2 MB per hour, 3.25 kB per connection, at a) of heap, and 1.3 MB (5.2 MB per hour, at a) of buffers on; 1 of 19 processes have too few floors',
  )
  const none = { processesWith: 0, processesWithout: 3, heap: undefined, external: undefined }
  assert.match(resolutionText({ resolution: none }), /^no process has four floors after major collections/)
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
    groupsOf(findings).map(({ first, others }) => [first.owner.node, others.map(({ owner }) => owner.node)]),
    [
      ['1', ['3']],
      ['2', []],
      ['4', []],
    ],
  )
})
