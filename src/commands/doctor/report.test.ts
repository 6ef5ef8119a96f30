import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Diagnosis, RankedFinding } from '../../doctor/diagnose.ts'
import { EvidenceFold } from '../../doctor/evidence/fold.ts'
import { type ReportInput, reportOf } from '../../doctor/report/report.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import type { TraceSpan } from '../../traces/trace.ts'
import { noLinks } from './links.ts'
import { reportLines } from './report-text.ts'

leakCheck()

const reading = { complete: true, partial: [], read: ['all spans of mesh-a'], bytes: 12_300_000, requests: 7 }
const witness = { traceId: 'ab'.repeat(16), spanId: 'cd'.repeat(8), span: 'mesh.audit', atMs: Date.now() }

/** Of a process with two censuses, and of another one with one span. */
function evidenceOf(partial: readonly string[] = [], other?: TraceSpan['resource'], otherAgoMs = 55_000) {
  const fold = new EvidenceFold()
  for (const seq of [1, 2]) {
    const attributes = { 'mesh.seq': seq, 'mesh.audit.opened_total': 10 * seq }
    const resource = { 'service.instance.id': 'i', 'mesh.node.name': 'node-3', 'service.version': '1.2.3' }
    const times = { startMs: Date.now() - 60_000 / seq, durationMs: 0 }
    fold.add({
      ...witness,
      name: 'mesh.audit',
      service: 'mesh-a',
      attributes,
      resource,
      ...times,
    } as unknown as TraceSpan)
  }
  if (other !== undefined) {
    const times = { startMs: Date.now() - otherAgoMs, durationMs: 0 }
    const span = { ...witness, name: 'mesh.node.started', service: 'mesh-a', attributes: { 'mesh.seq': 1 } }
    fold.add({ ...span, resource: other, ...times } as unknown as TraceSpan)
  }
  return fold.evidence({ complete: true, partial })
}

function findingAt(node: string, more: Partial<RankedFinding> = {}): RankedFinding {
  return {
    disease: 'streams-left',
    owner: { mesh: 'mesh-a', node, instance: 'i', part: 'streams /chat/1.0.0 out' },
    certainty: 'likely',
    sinceMs: Date.now() - 60_000,
    summary: 'open streams rose from 3 to 40',
    growth: { from: 3, to: 40, unit: 'streams', perHour: 444.4, perEvent: 0.25 },
    proof: [witness],
    symptoms: [],
    ...more,
  }
}

function linesOf(findings: readonly RankedFinding[], verdict: Diagnosis['verdict'], more: Partial<ReportInput> = {}) {
  const evidence = evidenceOf(more.reading?.partial)
  const diagnosis = { findings, verdict, partial: evidence.partial }
  return reportLines(reportOf({ evidence, diagnosis, reading, links: noLinks.trace, ...more })).join('\n')
}

test('a finding that explains only growth of unknown cause: not a word of that', () => {
  const symptoms = [{ ...findingAt('node-3'), disease: 'growth-unknown' } as const]
  assert.doesNotMatch(linesOf([findingAt('node-3', { symptoms })], 'ill'), /explains|cause unknown/)
})

test('a finding: owner, time with its zone, growth, proof, remedy and its symptoms', () => {
  const symptoms = (['heap-growth', 'growth-unknown'] as const).map((disease) => ({ ...findingAt('node-3'), disease }))
  const text = linesOf([findingAt('node-3', { symptoms })], 'ill', {
    links: ({ traceId, spanId }) => `http://jaeger/trace/${traceId}?uiFind=${spanId}`,
    search: ({ mesh, node, span }) => `http://jaeger/search ${mesh} ${node} ${span}`,
  })
  assert.match(text, /search +http:\/\/jaeger\/search mesh-a node-3 mesh\.audit/)
  assert.match(text, /^ill: 1 finding\n\n1\. Streams that nobody closes \(likely\)\n/)
  assert.match(text, /owner +streams \/chat\/1\.0\.0 out at node-3 of mesh-a/)
  assert.match(text, /since +(?:\S+ )?\d\d:\d\d:\d\d \S+/)
  assert.match(text, /growth +from 3 streams to 40 streams: 444 streams per hour, 0\.25 streams per connection/)
  assert.match(text, /explains +JavaScript objects that nobody frees \(node-3\)\n/)
  assert.match(text, /proof +mesh\.audit .* http:\/\/jaeger\/trace\/(ab){16}\?uiFind=(cd){8}/)
  assert.match(text, /looked at +1 node \(1 process\) of mesh-a, 2 spans, 10 connections opened/)
  assert.match(text, /read +all spans of mesh-a: 12\.3 MB in 7 requests/)
})

test('one fault of many nodes: described once', () => {
  const text = linesOf(
    ['a', 'b', 'c'].map((node) => findingAt(node)),
    'ill',
  )
  assert.match(text, /^ill: 3 findings/)
  assert.equal(text.split('Streams that nobody closes').length, 2)
  assert.match(text, /same +streams \/chat\/1\.0\.0 out at b, streams \/chat\/1\.0\.0 out at c/)
})

test('nothing found: what was looked at, and what a leak would have had to reach', () => {
  const text = linesOf([], 'healthy')
  assert.match(text, /^healthy: nothing found\nlooked at /)
  assert.match(text, /resolution no process has four floors after major collections/)
})

test('not enough evidence: the words for what is missing', () => {
  const missing = 'censuses of the last hour'
  const text = linesOf([findingAt('a', { certainty: 'insufficient', missing })], 'unclear', {
    reading: { ...reading, partial: ['spans.jsonl: 3 lines are no spans in OTLP JSON'] },
  })
  assert.match(text, /^unclear: not enough evidence/)
  assert.match(text, /\(not enough evidence\)/)
  assert.match(text, /missing +censuses of the last hour/)
  assert.match(text, /missing +spans\.jsonl: 3 lines/)
})

test('--node: findings of that node, or with it among others; the verdict is of these', () => {
  const findings = [findingAt('a'), findingAt('b', { alsoAt: ['c'] })]
  assert.match(linesOf(findings, 'ill', { node: 'c' }), /^ill: 1 finding\n[\s\S]*at b of mesh-a; also at c/)
  assert.match(linesOf(findings, 'ill', { node: 'node-3' }), /^healthy/)
})

test('--node with a name that no span has: unclear, with the known names', () => {
  const text = linesOf([findingAt('node-3')], 'ill', { node: 'nide-3' })
  assert.match(text, /^unclear: not enough evidence/)
  assert.match(text, /missing +no span of a node nide-3; there are spans of node-3$/m)
})

test('--node of a node without a census, beside others with one: unclear', () => {
  const evidence = evidenceOf([], { 'service.instance.id': 'j', 'mesh.node.name': 'node-4' })
  assert.match(linesOf([], 'healthy', { evidence, node: 'node-4' }), /^unclear/)
  assert.match(linesOf([], 'healthy', { evidence, node: 'node-3' }), /^healthy/)
})

test('two processes of one name at once, of two builds: both are said, and each finding names its process', () => {
  const evidence = evidenceOf([], {
    'service.instance.id': 'j',
    'mesh.node.name': 'node-3',
    'service.version': '1.3.0',
  })
  const [one, other] = ['i', 'j'].map((instance) =>
    findingAt('node-3', { owner: { ...findingAt('node-3').owner, instance } }),
  )
  const text = linesOf(one && other ? [one, other] : [], 'ill', { evidence })
  assert.match(text, /owner .* at node-3 of mesh-a\n {3}process {2}i, \d/)
  assert.match(text, /same .* at node-3 \(process j\)/)
  assert.match(text, /mixed +2 builds are mixed: 1\.2\.3, 1\.3\.0\n/)
  assert.match(text, /mixed +several processes at once have the name node-3 of mesh-a/)
  assert.doesNotMatch(linesOf([findingAt('node-3')], 'ill'), /process {2}|mixed/)
})

test('a restart, one process after the other: the findings name their process, and no name is shared', () => {
  const resource = { 'service.instance.id': 'j', 'mesh.node.name': 'node-3', 'service.version': '1.2.3' }
  const text = linesOf([findingAt('node-3')], 'ill', { evidence: evidenceOf([], resource, 120_000) })
  assert.match(text, /process {2}i, /)
  assert.doesNotMatch(text, /mixed/)
})

test('escapes of a terminal in a name, a summary and a problem: printed as text', () => {
  const name = '\x1b[2Jnode\x1b]0;x\x07'
  const finding = findingAt(name, { summary: 'a\rb\x9b0m', proof: [{ ...witness, span: 'mesh.x\x1b[8m' }] })
  const partial = ['\x1b[1A: hidden']
  const text = linesOf([finding], 'ill', { reading: { ...reading, partial }, links: () => 'http://x/\x1b[0m' })
  assert.doesNotMatch(text, /(?!\n)\p{Cc}/u)
  assert.match(text, /\\x1b\[2Jnode/)
})

test('JSON: the whole report survives', () => {
  const evidence = evidenceOf()
  const diagnosis = { findings: [findingAt('a')], verdict: 'ill', partial: [] } as const
  const report = reportOf({ evidence, diagnosis, reading, links: noLinks.trace })
  const { findings, verdict } = JSON.parse(JSON.stringify(report))
  assert.equal(verdict, 'ill')
  assert.deepEqual(
    [findings[0].title, findings[0].owner.node, findings[0].growth.perHour],
    ['Streams that nobody closes', 'a', 444.4],
  )
})
