import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../../testing/leak-check.ts'
import { noAnswerChecks, type SeedSpan, simulateNoAnswer } from './seed-never-virtual.e2e.ts'

leakCheck()

const spans = await simulateNoAnswer(1, 360_000)
const allHold = (changed: readonly SeedSpan[]) => noAnswerChecks(changed).every(({ holds }) => holds === true)
const without = (index: number) => spans.toSpliced(index, 1)
const indexOf = (name: string, attempt: number) =>
  spans.findIndex((span) => span.name === name && span.attributes['mesh.seed.attempt'] === attempt)
const changed = (index: number, change: Partial<SeedSpan>) =>
  spans.with(index, { ...(spans[index] as SeedSpan), ...change })

test('no spans: the checks fail', () => {
  assert.equal(allHold([]), false)
})

test('any missing attempt: the checks fail', () => {
  for (let attempt = 1; attempt <= 9; attempt++)
    assert.equal(allHold(without(indexOf('mesh.seed.retry', attempt))), false)
  assert.equal(allHold(without(indexOf('mesh.seed.giveup', 10))), false)
})

test('a wait beyond its bounds, emitted or measured: the checks fail', () => {
  const index = indexOf('mesh.seed.retry', 4)
  const { attributes, startMs, endMs } = spans[index] as SeedSpan
  for (const delay of [3_999, 8_001])
    assert.equal(allHold(changed(index, { attributes: { ...attributes, 'mesh.seed.delay_ms': delay } })), false)
  assert.equal(allHold(changed(index, { startMs: startMs + 8_000, endMs: endMs + 8_000 })), false)
})

test('an attempt outside its campaign’s trace: the checks fail', () => {
  assert.equal(allHold(changed(indexOf('mesh.seed.retry', 2), { parentSpanId: 'somewhere' })), false)
  assert.equal(allHold(changed(indexOf('mesh.seed.giveup', 10), { traceId: 'another' })), false)
})

test('an attempt 2 s off its 30 s after the give-up: the checks fail', () => {
  const last = spans.findLastIndex(({ name }) => name === 'mesh.seed.retry')
  assert.equal(allHold(changed(last, { startMs: (spans[last]?.startMs ?? 0) + 2_000 })), false)
})
