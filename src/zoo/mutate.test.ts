import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { forAll } from '../testing/for-all.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { seededRandom } from '../testing/random.ts'
import type { TraceSpan } from '../traces/trace.ts'
import { loseGap, loseShare, mutate, silenceOne } from './mutate.ts'

leakCheck()

const spans = Array.from({ length: 300 }, (_, index) => censusOf(index, `node-${1 + (index % 3)}`))

function censusOf(index: number, node: string): TraceSpan {
  return {
    traceId: String(index).padStart(32, '0'),
    spanId: String(index).padStart(16, '0'),
    parentSpanId: '',
    name: 'mesh.audit',
    service: 'mesh-a',
    kind: 'internal',
    startMs: 1_000 * index,
    durationMs: 1,
    attributes: { 'mesh.seq': index, 'mesh.audit.connections': index, 'mesh.memory.external': 1_000 },
    resource: { 'service.instance.id': `instance-${node}`, 'mesh.node.name': node },
    scope: { name: 'tracemesh', version: '' },
    links: [],
    status: 'unset',
  }
}

test('a mutated run: its seed alone decides it', () =>
  forAll({ t: { diagnostic: () => {} }, numRuns: 20 }, [fc.nat()], (seed) => {
    assert.deepEqual(mutate(spans, seededRandom(seed)), mutate(spans, seededRandom(seed)))
  }))

test('a mutated run: no span has another count than a recorded one', () =>
  forAll({ t: { diagnostic: () => {} }, numRuns: 20 }, [fc.nat()], (seed) => {
    for (const { spanId, attributes } of mutate(spans, seededRandom(seed)))
      assert.equal(attributes['mesh.audit.connections'], Number(spanId))
  }))

test('a mutated run: memory of one process keeps the shape of its curve', () => {
  const mutated = mutate(spans, seededRandom(1))
  const sizes = Map.groupBy(mutated, ({ resource }) => resource['service.instance.id'])
  for (const [, all] of sizes) assert.equal(new Set(all.map((span) => span.attributes['mesh.memory.external'])).size, 1)
})

test('lost spans: a share at random, a gap, or one node that is not to blame', () => {
  const random = seededRandom(7)
  const left = loseShare(spans, 0.3, random).length
  assert.ok(left > 160 && left < 260, `${left} of 300 left`)
  assert.equal(loseGap(spans, 60_000, random).length, 240)
  const names = new Set(silenceOne(spans, ['node-2'], random).map(({ resource }) => resource['mesh.node.name']))
  assert.ok(names.size === 2 && names.has('node-2'))
})
