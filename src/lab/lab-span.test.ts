import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { labSpanOf } from './lab-span.ts'
import { plain, spanLine } from './lines.ts'

leakCheck()

test('log lines: spans of events are lines, routine spans are not', () => {
  const time = '2026-01-02T03:04:05.678Z'
  const retry = {
    msg: 'mesh.seed.retry',
    time,
    'mesh.seed.attempt': 2,
    'mesh.dial.stage': 'dial',
    trace_id: 'abcdef012',
  }
  const span = labSpanOf('a-seed-1', retry)
  assert.ok(span)
  assert.match(
    spanLine(span, plain),
    /^03:04:05\.678 a-seed-1 +mesh\.seed\.retry +attempt=2 stage=dial trace abcdef01$/,
  )
  assert.equal(labSpanOf('n', { msg: 'mesh.staleness.pruned', level: 'trace' }), undefined)
  assert.equal(labSpanOf('n', { msg: 'it broke', level: 'error', err: { message: 'so' } })?.detail, 'so')
})
