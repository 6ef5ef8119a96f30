import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import type { SubjectScore } from './score.ts'
import { isPassed, summaryOf } from './summary.ts'

leakCheck()

const runs = 20
const subject: SubjectScore = {
  subject: 'streams',
  disease: 'streams-left',
  runs,
  doctor: { right: runs },
  baselines: { slope: { missed: runs } },
  leftOut: { unknown: runs },
  lossy: { right: 19, insufficient: 1 },
  mistakes: [],
}
const retries: SubjectScore = { ...subject, disease: 'retry-storm', leftOut: { missed: runs } }
const passes = (...scores: readonly SubjectScore[]) => isPassed(summaryOf(scores))

test('runs with losses that keep the verdict, the others without enough evidence or cause: passed', () => {
  assert.equal(passes(subject), true)
  assert.equal(passes({ ...subject, lossy: { right: 18, insufficient: 1, unknown: 1 } }), true)
})

for (const [situation, lossy] of Object.entries({
  'a wrong name': { right: 19, 'wrong name': 1 },
  'nothing found': { right: 19, missed: 1 },
  'too few verdicts': { right: 17, insufficient: 3 },
} as const))
  test(`runs with losses, ${situation}: not passed`, () => assert.equal(passes({ ...subject, lossy }), false))

const clean: SubjectScore = {
  ...{ subject: 'clean-quiet', disease: null, runs, baselines: {}, mistakes: [] },
  ...{ doctor: { right: runs }, lossy: { right: runs } },
}

test('clean runs: one false alarm does not pass; one in twenty without enough evidence does, and counts apart', () => {
  assert.equal(passes(subject, clean), true)
  assert.equal(passes(subject, { ...clean, doctor: { right: 19, 'wrong name': 1 } }), false)
  const unclear = { ...clean, doctor: { right: 19, unclear: 1 } }
  const { falseAlarms, unclear: count } = summaryOf([subject, unclear])
  assert.deepEqual([falseAlarms, count], [0, 1])
  assert.equal(passes(subject, unclear), true)
  assert.equal(passes(subject, { ...clean, doctor: { right: 18, unclear: 2 } }), false)
})

test('a fault that does not grow, without its rule: nothing is to be found', () => {
  const { leftOut } = summaryOf([subject, retries])
  assert.deepEqual(leftOut, { runs, unknown: runs, wrong: 0 })
  assert.equal(passes(subject, retries), true)
})

test('a wrong name without the rule, of a fault that does not grow: it counts', () => {
  assert.equal(passes(subject, { ...retries, leftOut: { 'wrong name': 3, missed: 17 } }), false)
})
