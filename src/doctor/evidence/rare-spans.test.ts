import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { leakCheck } from '../../testing/leak-check.ts'
import type { TraceSpan } from '../../traces/trace.ts'
import { mostSpans, RareSpans } from './rare-spans.ts'

leakCheck()

const at = (startMs: number) => ({ startMs }) as TraceSpan
const times = (spans: RareSpans) => spans.retained().map(({ startMs }) => startMs)

test('spans in any order: the 32 earliest and the 96 latest, by start', () => {
  const some = fc.uniqueArray(fc.integer({ min: 0, max: 100_000 }), { minLength: 1, maxLength: 500 })
  fc.assert(
    fc.property(some, (starts) => {
      const spans = new RareSpans(mostSpans)
      for (const startMs of starts) spans.add(at(startMs))
      const sorted = starts.toSorted((a, b) => a - b)
      const expected = sorted.length <= 128 ? sorted : [...sorted.slice(0, 32), ...sorted.slice(-96)]
      assert.deepEqual(times(spans), expected)
      assert.equal(spans.count, starts.length)
      assert.ok(spans.size <= 144)
    }),
  )
})

test('fewer are allowed later on: the earliest and the latest of all, and no more memory', () => {
  const spans = new RareSpans(mostSpans)
  for (let startMs = 0; startMs < 200; startMs++) spans.add(at(startMs))
  spans.shrink({ earliest: 4, latest: 12 })
  assert.equal(spans.size, 16)
  for (let startMs = 200; startMs < 400; startMs++) spans.add(at(startMs))
  assert.deepEqual(times(spans), [0, 1, 2, 3, ...Array.from({ length: 12 }, (_, index) => 388 + index)])
})
