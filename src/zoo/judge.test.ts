import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Finding } from '../doctor/finding.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { judge, judgeLossy, type Outcome, type Truth } from './judge.ts'

leakCheck()

const truth: Truth = { disease: 'streams-left', nodes: ['node-3'], part: '/blobs/', also: ['starved-judge'] }
const healthy: Truth = { disease: null, nodes: [], part: '', also: [] }
const right: Finding = {
  disease: 'streams-left',
  owner: { mesh: 'mesh-a', node: 'node-3', instance: 'a', part: 'streams /blobs/1.0.0 out' },
  certainty: 'likely',
  sinceMs: undefined,
  summary: '',
  proof: [],
}

const cases: readonly (readonly [string, Truth, readonly Partial<Finding>[], Outcome])[] = [
  ['the disease and its owner first', truth, [{}, { disease: 'heap-growth' }], 'right'],
  ['another disease first', truth, [{ disease: 'heap-growth' }, {}], 'wrong name'],
  ['another node', truth, [{ owner: { ...right.owner, node: 'node-2' } }], 'wrong owner'],
  ['another part', truth, [{ owner: { ...right.owner, part: 'streams /chat/1.0.0 out' } }], 'wrong owner'],
  ['growth of unknown cause at the node', truth, [{ disease: 'growth-unknown' }], 'unknown'],
  ['too little evidence', truth, [{ certainty: 'insufficient' }], 'insufficient'],
  ['something else that is true', truth, [{ disease: 'starved-judge' }, {}], 'right'],
  ['nothing', truth, [], 'missed'],
  ['nothing in a clean run', healthy, [], 'right'],
  ['something in a clean run', healthy, [{}], 'wrong name'],
  ['too little evidence in a clean run', healthy, [{ certainty: 'insufficient' }], 'unclear'],
]

for (const [title, of, findings, outcome] of cases)
  test(`first answer, ${title}: ${outcome}`, () => assert.equal(judge(ranked(findings), of), outcome))

const lost = { disease: 'telemetry-lost', certainty: 'insufficient' } as const
const telemetry: Truth = { ...truth, disease: 'telemetry-lost', part: '' }
const lossy: typeof cases = [
  ['the disease beside lost spans', truth, [{}, lost], 'right'],
  ['lost spans, then the disease', truth, [{ ...lost, certainty: 'certain' }, {}], 'right'],
  ['lost spans alone', truth, [lost], 'insufficient'],
  ['lost spans of several nodes', truth, [lost, { ...lost, certainty: 'certain' }], 'insufficient'],
  ['lost spans, and the disease that is not sure', truth, [lost, { certainty: 'insufficient' }], 'insufficient'],
  ['lost spans, and another disease', truth, [lost, { disease: 'heap-growth' }], 'wrong name'],
  ['growth of unknown cause at the node', truth, [lost, { disease: 'growth-unknown' }], 'unknown'],
  ['a wrong clock alone', truth, [{ disease: 'clock-skew' }], 'missed'],
  ['nothing', truth, [], 'missed'],
  ['lost spans in a clean run', healthy, [lost], 'right'],
  ['too little evidence in a clean run', healthy, [lost, { certainty: 'insufficient' }], 'insufficient'],
  ['lost spans that were planted', telemetry, [{ ...lost, certainty: 'certain' }], 'right'],
]

for (const [title, of, findings, outcome] of lossy)
  test(`first answer of a run with losses, ${title}: ${outcome}`, () =>
    assert.equal(judgeLossy(ranked(findings), of), outcome))

function ranked(findings: readonly Partial<Finding>[]) {
  return { findings: findings.map((finding) => ({ ...right, ...finding, symptoms: [] })) }
}
