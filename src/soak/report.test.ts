import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { readSoakFlags } from './flags.ts'
import { reportMarkdown } from './markdown.ts'
import { makeReport, planText, type SoakReport } from './report.ts'
import { reportLines } from './report-text.ts'
import { sparkline } from './sparkline.ts'
import { judgeSoak, type SoakBasis } from './verdict.ts'

leakCheck()

const options = readSoakFlags({ for: '5m', churn: '2/s' })
const target = {
  what: 'a lab of 4 nodes',
  mesh: 'mesh-a',
  addresses: [],
  topic: 'lab',
  hasListeners: true,
  traces: '',
  otlp: undefined,
  entry: '',
  collectGarbage: async () => {},
  close: async () => [],
}
const basis: SoakBasis = {
  diagnosis: { findings: [], partial: [] },
  counts: [
    {
      what: 'streams /a|b/1.0.0 in',
      before: 3,
      after: 5,
      rise: 2,
      perLife: 0.01,
      worst: { node: 'node-1', rise: 2 },
    },
  ],
  memory: [
    {
      node: 'node-1',
      kind: 'heap',
      from: 30e6,
      to: 31e6,
      floors: [30e6, 30.5e6, 31e6, 30e6],
      perLife: { slope: 100, low: -300, high: 2_048 },
    },
  ],
  lives: 240,
  failed: 1,
  within: options.within,
  disturbances: [],
}

function report(part: Partial<SoakBasis> = {}): SoakReport {
  const all = { ...basis, ...part }
  const judgement = judgeSoak(all)
  return makeReport({
    target,
    options,
    startedMs: 1_800_000_000_000,
    churnMs: 300_000,
    basis: all,
    judgement,
    failures: ['Error: nobody to talk to'],
    spans: 4_000,
  })
}

test('the report of a pass: its bounds, the achieved rate, and the tables', () => {
  const text = reportLines(report()).join('\n')
  assert.match(text, /^pass: no leak, at most 2\.05 kB of heap, and nothing counted that one of 10 lives leaves$/m)
  assert.match(text, /^240 lives at 0\.8 per second, 1 failed; /m)
  assert.match(text, /^note: the machine achieved 0\.8 lives per second of the 2 asked for$/m)
  assert.match(text, /^node-1 +heap +30 MB +31 MB +100 B +-300 B to 2\.05 kB +▁▅█▁$/m)
  assert.match(text, /^streams \/a\|b\/1\.0\.0 in +3 +5 +2 +0\.010 +node-1$/m)
})

test('the report of a soak that is undecided: no longer a pass, with the reason', () => {
  const text = reportLines(report({ disturbances: ['ended early, during churn'] })).join('\n')
  assert.match(text, /^undecided: no leak found, /m)
  assert.match(text, /^undecided: ended early, during churn$/m)
})

test('the report in Markdown: the same, and names from traces are no markup', () => {
  const page = reportMarkdown(report())
  assert.match(page, /^# Soak: pass$/m)
  assert.match(page, /^\| streams \/a\\\|b\/1\.0\.0 in \| 3 \| 5 \| 2 \| 0\.010 \| node-1 \|$/m)
  assert.ok(page.includes('2027-01-15T08:00:00.000Z'))
})

test('the report in JSON: every number again', () => {
  const again = JSON.parse(JSON.stringify(report())) as SoakReport
  assert.equal(again.verdict, 'pass')
  assert.deepEqual(again.churn, {
    asked: 2,
    achieved: 0.8,
    lives: 240,
    failed: 1,
    failures: ['Error: nobody to talk to'],
  })
  assert.equal(again.memory[0]?.perLife?.high, 2_048)
})

test('the plan of a soak: its length and its parts', () => {
  assert.equal(planText(options), '10 min: warm-up 100 s, rest 100 s, churn 300 s, rest 100 s')
})

test('a sparkline: from the least to the largest, the ends always shown, and level if all are equal', () => {
  assert.equal(sparkline([1, 2, 3]), '▁▅█')
  assert.equal(sparkline([5, 5]), '▁▁')
  assert.equal(sparkline([]), '')
  const long = sparkline(Array.from({ length: 1_000 }, (_, at) => at))
  assert.deepEqual([long.length, long.at(0), long.at(-1)], [24, '▁', '█'])
})
