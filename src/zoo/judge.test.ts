import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Finding } from '../doctor/finding.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { judge, type Outcome, type Truth } from './judge.ts'

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
]

for (const [title, of, findings, outcome] of cases)
  test(`first answer, ${title}: ${outcome}`, () => {
    const ranked = findings.map((finding) => ({ ...right, ...finding, symptoms: [] }))
    assert.equal(judge({ findings: ranked }, of), outcome)
  })
