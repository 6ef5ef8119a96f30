import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { forAll } from '../../testing/for-all.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import type { TraceSpan } from '../../traces/trace.ts'
import { linkQueries, spansLinkingTo, visibleRows, waterfall } from './waterfall.ts'

leakCheck()

const span = (spanId: string, parentSpanId: string, changes: Partial<TraceSpan> = {}): TraceSpan => ({
  traceId: 't',
  spanId,
  parentSpanId,
  name: spanId,
  service: 'mesh-a',
  startMs: 1_000,
  durationMs: 10,
  attributes: {},
  resource: {},
  links: [],
  kind: 'internal',
  scope: { name: '', version: '' },
  status: 'unset',
  ...changes,
})

test('a waterfall lists children below their parent by start, as fractions of the trace', () => {
  const rows = waterfall([
    span('late', 'root', { startMs: 1_050, durationMs: 50 }),
    span('leaf', 'early'),
    span('early', 'root', { startMs: 1_010 }),
    span('root', ''),
  ])
  assert.deepEqual(
    rows.map(({ span: { spanId }, depth, children, below }) => [spanId, depth, children, below]),
    [
      ['root', 0, 2, 3],
      ['early', 1, 1, 1],
      ['leaf', 2, 0, 0],
      ['late', 1, 0, 0],
    ],
  )
  assert.deepEqual([rows[3]?.from, rows[3]?.length], [0.5, 0.5])
})

test('a span of a microsecond, as stores keep one without duration: a marker, at its offset', () => {
  const rows = waterfall([
    span('root', ''),
    span('marker', 'root', { startMs: 1_004, durationMs: 0.001 }),
    span('short', 'root', { startMs: 1_005, durationMs: 0.01 }),
  ])
  assert.deepEqual(
    rows.map(({ isMarker, afterMs }) => [isMarker, afterMs]),
    [
      [false, 0],
      [true, 4],
      [false, 5],
    ],
  )
})

test('a span without its parent is a root and marked as an orphan', () => {
  const [row] = waterfall([span('lost', 'elsewhere')])
  assert.deepEqual([row?.depth, row?.isOrphan], [0, true])
})

test('any parent references, cycles included: each span has exactly one row', (t) => {
  const id = fc.integer({ min: 0, max: 9 }).map(String)
  const spans = fc.array(fc.tuple(id, fc.oneof(id, fc.constant(''))), { maxLength: 12 })
  return forAll({ t }, [spans], (pairs) => {
    const all = pairs.map(([own, parent]) => span(own, parent))
    const rows = waterfall(all)
    assert.deepEqual(new Set(rows.map((row) => row.span)), new Set(all))
    assert.equal(rows.length, all.length)
  })
})

test('a closed span hides its descendants, not its siblings', () => {
  const rows = waterfall([span('root', ''), span('a', 'root'), span('aa', 'a'), span('b', 'root', { startMs: 1_001 })])
  const shown = (...closed: string[]) => visibleRows(rows, new Set(closed)).map((row) => row.span.spanId)
  assert.deepEqual(shown(), ['root', 'a', 'aa', 'b'])
  assert.deepEqual(shown('a'), ['root', 'a', 'b'])
  assert.deepEqual(shown('root'), ['root'])
})

test('queries for links to a span: one around its time, one per shared id', () => {
  const openedSpan = span('born', '', { attributes: { 'mesh.link.id': 'x.1.2', 'mesh.peer.id': 'p' } })
  const queries = linkQueries(openedSpan, ['mesh-a', 'mesh-b'], 9_000_000)
  assert.deepEqual(
    queries.map(({ service, attributes = {}, toMs }) => [service, Object.keys(attributes).join(), toMs]),
    [
      ['mesh-a', '', 151_010],
      ['mesh-a', 'mesh.link.id', 9_000_000],
      ['mesh-b', '', 151_010],
      ['mesh-b', 'mesh.link.id', 9_000_000],
    ],
  )
  const links = [{ traceId: 't', spanId: 'born' }]
  const traces = [
    { traceId: 'u', spans: [span('end', '', { traceId: 'u', links, startMs: 5_000 }), span('other', '')] },
    { traceId: 'u', spans: [span('end', '', { traceId: 'u', links, startMs: 5_000 })] },
  ]
  const linking = spansLinkingTo(openedSpan, traces).map(({ spanId }) => spanId)
  assert.deepEqual(linking, ['end'])
})
