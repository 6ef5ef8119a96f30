import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { formatTraceparent, parseTraceparent } from './trace.ts'

leakCheck()

const ids = { traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId: '00f067aa0ba902b7' }

test('a traceparent: carries the ids, and whether the span is sampled', () => {
  const unsampled = { ...ids, sampled: false } as const
  for (const ref of [ids, unsampled]) assert.deepEqual(parseTraceparent(formatTraceparent(ref)), ref)
  assert.match(formatTraceparent(ids), /-01$/)
  assert.match(formatTraceparent(unsampled), /-00$/)
})

test('flags of a later version: only the sampled bit counts', () => {
  assert.deepEqual(parseTraceparent(`00-${ids.traceId}-${ids.spanId}-03`), ids)
  assert.deepEqual(parseTraceparent(`00-${ids.traceId}-${ids.spanId}-02`), { ...ids, sampled: false })
})

test('ids of zeros, another version or a cut text: no trace', () => {
  const valid = `00-${ids.traceId}-${ids.spanId}-01`
  for (const text of [valid.replace('00-', '01-'), valid.slice(0, -1), valid.replace(ids.spanId, '0'.repeat(16)), ''])
    assert.equal(parseTraceparent(text), undefined, text)
})
