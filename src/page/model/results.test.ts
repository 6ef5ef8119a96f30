import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../../testing/leak-check.ts'
import { pageSpans, pageTrace } from '../../testing/page/page-traces.ts'
import { notableAttributes, rootOf } from './results.ts'

leakCheck()

const spans = pageSpans('compute-a5', ['seed-a1'])
const expired = spans.find(({ name }) => name === 'mesh.member.expired')

test('attributes of a span in a list: those searched for come first, also from its resource', () => {
  assert.ok(expired !== undefined)
  assert.equal(
    notableAttributes(expired, ['mesh.node.name', 'mesh.member.window_ms']).slice(0, 56),
    'mesh.node.name=seed-a1 mesh.member.window_ms=30000 mesh.',
  )
  assert.equal(notableAttributes(expired, []).split(' ')[1], 'mesh.peer.name=compute-a5')
})

test('a long text of attributes is cut', () => {
  assert.ok(expired !== undefined)
  const text = notableAttributes({ ...expired, attributes: { long: 'x'.repeat(500) } }, ['long'])
  assert.equal(text.length, 120)
  assert.ok(text.endsWith('…'))
})

test('the root of a trace is its first root; a trace without spans has none', () => {
  const traceId = pageTrace('win-seed-a1')
  const trace = { traceId, spans: spans.filter((span) => span.traceId === traceId) }
  assert.equal(rootOf(trace).name, 'mesh.window')
  assert.throws(() => rootOf({ traceId, spans: [] }), /no span/)
})
