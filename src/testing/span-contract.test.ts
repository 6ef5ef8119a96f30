import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AttributeSpec } from '../catalogue/attribute-spec.ts'
import { attributes } from '../catalogue/attributes.ts'
import { type SpanSpec, spans } from '../catalogue/spans.ts'
import { emitStalenessPruned } from '../core/spans/member.ts'
import { leakCheck } from './leak-check.ts'
import { type CheckedSpan, SpanContract, violationsIn } from './span-contract.ts'

leakCheck()

const window = { traceId: 'a'.repeat(32), spanId: '1'.repeat(16) }
const otherWindow = { ...window, spanId: '9'.repeat(16) }
const sweep = { ...window, spanId: '2'.repeat(16) }
const effect = emitStalenessPruned([], 3, false, sweep, window)
const swept: CheckedSpan = {
  ...effect,
  attributes: { ...effect.attributes },
  ref: sweep,
  parent: window,
  node: 'n',
  links: [],
}

function contract(): SpanContract {
  const known = new SpanContract()
  known.add({ span: 'mesh.window', node: 'n', ref: window })
  known.add({ span: 'mesh.window', node: 'other', ref: otherWindow })
  known.add(swept)
  return known
}

test('a span as declared: no violation', () => {
  assert.deepEqual(contract().check(swept), [])
})

test('a violation of each kind: named', () => {
  const { 'mesh.pruned.count': _, ...rest } = swept.attributes
  const changes: readonly [Partial<CheckedSpan>, RegExp][] = [
    [{ attributes: rest }, /lacks mesh\.pruned\.count/],
    [{ attributes: { ...swept.attributes, 'mesh.peer.id': 'p' } }, /has mesh\.peer\.id, which it does not declare/],
    [{ attributes: { ...swept.attributes, 'mesh.pruned.count': 0.5 } }, /=0\.5, which is no int/],
    [{ attributes: { ...swept.attributes, 'mesh.pruned.remaining_band': '3' } }, /=3, which is no 0,1-7/],
    [{ parent: sweep, ref: undefined }, /is a child of mesh\.staleness\.pruned, not mesh\.window/],
    [{ parent: otherWindow }, /a child of remote mesh\.window/],
    [{ parent: { ...window, traceId: 'b'.repeat(32) } }, /is in another trace than its parent/],
    [{ links: [window] }, /is linked to mesh\.window, not declared/],
    [{ span: 'mesh.unheard.of' }, /is not declared/],
  ]
  for (const [change, problem] of changes) {
    const problems = contract().check({ ...swept, ...change })
    assert.equal(problems.length, 1, problems.join())
    assert.match(problems[0] ?? '', problem)
  }
  const orphan = { ...swept, span: 'mesh.member.expired', parent: null }
  assert.match(contract().check(orphan).join(), /mesh\.member\.expired is a root/)
})

test('parents and links: each names a declared span', () => {
  for (const [name, { parents = [], links = [] }] of Object.entries<SpanSpec>(spans)) {
    for (const relative of [...parents, ...links])
      assert.ok(
        ['root', 'application', 'evidence'].includes(relative) || Object.hasOwn(spans, relative.replace(/^\w+ /, '')),
        `${name}: ${relative}`,
      )
  }
})

test('units: that of each name’s ending', () => {
  for (const [name, { unit }] of Object.entries(attributes as Readonly<Record<string, AttributeSpec>>)) {
    if (name.endsWith('_ms')) assert.equal(unit, 'ms', name)
    if (/[._]bytes$/.test(name)) assert.equal(unit, 'By', name)
    if (name.endsWith('_total')) assert.equal(unit, '1', name)
  }
})

test('received spans: a child that comes before its parent is judged too', () => {
  const resource = { 'service.instance.id': 'n' }
  const common = { traceId: window.traceId, links: [], resource }
  const root = { ...common, name: 'mesh.window', spanId: window.spanId, parentSpanId: '' }
  const child = { ...common, name: 'mesh.member.expired', spanId: sweep.spanId, parentSpanId: window.spanId }
  const windowAttributes = { 'mesh.window.seq': 1, 'mesh.node.uptime_ms': 0 }
  const spans = [
    { ...child, attributes: {} },
    { ...root, attributes: windowAttributes },
  ]
  const violations = violationsIn(spans)
  assert.ok(violations.includes('mesh.member.expired is a child of mesh.window, not mesh.staleness.pruned'))
  assert.ok(violations.includes('mesh.member.expired lacks mesh.peer.id'))
  assert.deepEqual(violationsIn(spans.slice(1)), [])
})
