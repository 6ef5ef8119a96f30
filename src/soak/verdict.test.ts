import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RankedFinding } from '../doctor/diagnose.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { judgeSoak, type SoakBasis } from './verdict.ts'

leakCheck()

const floors = [30, 30, 30, 30, 30]
const bound = (low: number, high: number) => ({
  node: 'node-1',
  kind: 'heap' as const,
  from: 30,
  to: 30,
  floors,
  perLife: { slope: (low + high) / 2, low, high },
})
const row = (rise: number, byDesign?: string) => ({
  what: 'peer_store',
  before: 4,
  after: 4 + rise,
  rise,
  perLife: rise / 200,
  worst: { node: 'node-1', rise },
  ...(byDesign !== undefined && { byDesign }),
})
const finding = (disease: RankedFinding['disease'], certainty: RankedFinding['certainty'], missing?: string) =>
  ({
    disease,
    certainty,
    owner: { mesh: 'mesh-a', node: 'node-2', instance: 'i', part: 'registry requests of node-2/fault' },
    sinceMs: undefined,
    summary: 'its entries rose from 4 to 204',
    proof: [],
    symptoms: [],
    ...(missing !== undefined && { missing }),
  }) satisfies RankedFinding
const clean: SoakBasis = {
  diagnosis: { findings: [], partial: [] },
  counts: [row(3)],
  memory: [bound(-200, 900)],
  lives: 200,
  failed: 2,
  within: 1_024,
  disturbances: [],
}
const judge = (part: Partial<SoakBasis>) => judgeSoak({ ...clean, ...part })
const found = (...findings: RankedFinding[]) => ({ diagnosis: { findings, partial: [] } })

test('bounds below the limit and nothing found: pass, without a reason', () => {
  assert.deepEqual(judgeSoak(clean), { verdict: 'pass', reasons: [], leaks: [] })
})

test('a leak that the doctor found: leak, with its owner, whatever else is in doubt', () => {
  const { verdict, reasons, leaks } = judge({
    ...found(finding('registry-unswept', 'likely')),
    disturbances: ['ended early, during churn'],
    memory: [],
  })
  assert.equal(verdict, 'leak')
  assert.deepEqual(reasons, [
    'likely: registry-unswept at node-2, registry requests of node-2/fault: its entries rose from 4 to 204',
  ])
  assert.equal(leaks.length, 1)
})

test('a disease that leaves nothing behind: no leak, and no doubt', () => {
  assert.equal(judge(found(finding('seed-unreachable', 'certain'))).verdict, 'pass')
})

const undecided: Readonly<Record<string, readonly [Partial<SoakBasis>, RegExp]>> = {
  'a soak that ended early': [{ disturbances: ['ended early, during churn'] }, /ended early/],
  'few lives': [{ lives: 20, failed: 0 }, /20 lives, and at least 32 are needed/],
  'lives that failed': [{ failed: 150 }, /150 of 200 lives failed/],
  'spans that were not read': [
    { diagnosis: { findings: [], partial: ['timeout'] } },
    /not all spans were read: timeout/,
  ],
  'lost telemetry': [found(finding('telemetry-lost', 'certain')), /the evidence is weak/],
  'a leak that needs more evidence': [
    found(finding('heap-growth', 'insufficient', 'a longer window')),
    /it needs a longer window/,
  ],
  'a count that rose with the lives': [{ counts: [row(150)] }, /peer_store rose by 150 at node-1 \(0\.75 per life\)/],
  'no process at both readings': [{ memory: [] }, /no process/],
  'few collections': [
    { memory: [{ ...bound(0, 0), floors: [1], perLife: undefined }] },
    /1 major collections of node-1/,
  ],
  'a wide interval': [{ memory: [bound(-9_000, 2_048)] }, /heap of node-1 grew by -9 kB to 2.05 kB per life/],
}
for (const [what, [part, reason]] of Object.entries(undecided)) {
  test(`${what}: undecided, with the reason`, () => {
    const { verdict, reasons } = judge(part)
    assert.equal(verdict, 'undecided')
    assert.equal(reasons.length, 1, reasons.join('\n'))
    assert.match(reasons[0] ?? '', reason)
  })
}

test('a count that rises by design: pass', () => {
  assert.equal(judge({ counts: [row(150, 'entries stay for 160 s by design')] }).verdict, 'pass')
})
