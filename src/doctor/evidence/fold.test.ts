import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { leakCheck } from '../../testing/leak-check.ts'
import type { TraceSpan } from '../../traces/trace.ts'
import { EvidenceFold } from './fold.ts'
import { SeqSet } from './seq-set.ts'
import { Series } from './series.ts'

leakCheck()

const complete = { complete: true, partial: [] }

/** A span of one process, a minute after its start per `seq`. */
function spanOf(name: string, seq: number, attributes: TraceSpan['attributes'] = {}, node = 'a'): TraceSpan {
  return {
    traceId: `${node}${seq}`.padStart(32, '0'),
    spanId: String(seq).padStart(16, '0'),
    parentSpanId: '',
    name,
    service: 'mesh-a',
    kind: 'internal',
    startMs: 60_000 * seq,
    durationMs: 0,
    attributes: { 'mesh.seq': seq, ...attributes },
    resource: { 'service.instance.id': `instance-${node}`, 'mesh.node.name': node },
    scope: { name: 'tracemesh', version: '' },
    links: [],
    status: 'unset',
  }
}

test('censuses in any order: the evidence has the first and the last value', () => {
  const fold = new EvidenceFold()
  for (const seq of [3, 1, 2]) fold.add(spanOf('mesh.audit', seq, { 'mesh.audit.opened_total': 10 * seq }))
  const [instance] = fold.evidence(complete).instances
  assert.equal(instance?.churnEvents, 20)
  assert.deepEqual(
    instance?.censuses.map(({ atMs }) => atMs),
    [60_000, 180_000],
  )
})

test('a batch that came twice: its spans count once', () => {
  const fold = new EvidenceFold()
  for (const seq of [1, 2, 1, 2]) fold.add(spanOf('mesh.seed.retry', seq))
  const evidence = fold.evidence(complete)
  assert.equal(evidence.instances[0]?.countOf('mesh.seed.retry'), 2)
  assert.equal(evidence.duplicates, 2)
})

test('a span of other software: it is counted as foreign and nothing else', () => {
  const fold = new EvidenceFold()
  fold.add(spanOf('GET /orders', 1))
  fold.add({ ...spanOf('mesh.audit', 2), resource: { 'service.name': 'shop' } })
  const evidence = fold.evidence(complete)
  assert.deepEqual([evidence.foreign, evidence.instances.length], [2, 0])
})

test('a line of a list and a registry: each number is a series of its own', () => {
  const fold = new EvidenceFold()
  fold.add(spanOf('mesh.audit', 1, { 'mesh.audit.protocols': ['/chat/1.0.0 1 2 0 5', 'torn line'] }))
  fold.add(spanOf('mesh.audit.requests', 2, { 'mesh.registry.size': 7, 'mesh.registry.owner': 'a/fault' }))
  const [instance] = fold.evidence(complete).instances
  assert.equal(instance?.series('mesh.audit.protocols /chat/1.0.0 out')?.last.value, 2)
  assert.equal(instance?.series('registry requests a/fault size')?.last.value, 7)
})

test('more processes than there is room for: those with the longest life stay', () => {
  const fold = new EvidenceFold()
  for (const seq of [1, 100]) fold.add(spanOf('mesh.audit', seq, {}, 'long'))
  for (let life = 0; life < 600; life++) fold.add(spanOf('mesh.audit', 1 + (life % 90), {}, `life-${life}`))
  const evidence = fold.evidence(complete)
  assert.ok(evidence.instances.some(({ node }) => node === 'long'))
  assert.equal(evidence.instances.length + evidence.dropped, 601)
  assert.ok(evidence.instances.length <= 512)
})

test('a series of any length: first, last and extremes are exact, and at most 128 points remain', () => {
  const fields = { atMs: fc.integer({ min: 0, max: 86_400_000 }), value: fc.integer() }
  const point = fc.record(fields, { noNullPrototype: true })
  const points = fc.uniqueArray(point, { minLength: 1, maxLength: 500, selector: ({ atMs }) => atMs })
  fc.assert(
    fc.property(points, ([first = { atMs: 0, value: 0 }, ...others]) => {
      const series = new Series(first)
      for (const one of others) series.add(one)
      const sorted = [first, ...others].sort((a, b) => a.atMs - b.atMs)
      assert.deepEqual([series.first, series.last], [sorted[0], sorted.at(-1)])
      assert.equal(series.max, Math.max(...sorted.map(({ value }) => value)))
      assert.ok(series.points().length <= 128)
    }),
  )
})

test('the numbers of spans: one that comes twice is known, and a false one costs nothing', () => {
  const seqs = new SeqSet()
  const results = [1, 40_000, 1, 2 ** 60, -1, 1.5].map((seq) => seqs.add(seq))
  assert.deepEqual(results, [true, true, false, true, true, true])
  assert.deepEqual([seqs.count, seqs.highest], [2, 40_000])
  for (let page = 0; page < 1_000; page++) seqs.add(page * 32_768 + 7)
  assert.ok(seqs.count <= 66)
})

test('the census after a stop: no point of a series, and it says when the stop began', () => {
  const fold = new EvidenceFold()
  fold.add(spanOf('mesh.audit', 1, { 'mesh.audit.streams': 12, 'mesh.audit.cause': 'periodic' }))
  fold.add(spanOf('mesh.audit', 2, { 'mesh.audit.streams': 0, 'mesh.audit.cause': 'stopped' }))
  fold.add(spanOf('mesh.node.stopped', 3, { 'mesh.stop.duration_ms': 62_000 }))
  const [instance] = fold.evidence(complete).instances
  assert.equal(instance?.series('mesh.audit.streams')?.last.value, 12)
  assert.equal(instance?.stopMs, 118_000)
})

test('limits and owners: a usage has two numbers, and single dials have no series', () => {
  const fold = new EvidenceFold()
  const owned = ['node/network timer 3', 'node/network/dial 12D3KooW owner 1']
  fold.add(
    spanOf('mesh.audit', 1, { 'mesh.audit.limits': ['peers 2 7/300', 'members 0 -/off'], 'mesh.audit.owned': owned }),
  )
  const [instance] = fold.evidence(complete).instances
  const keys = instance?.seriesOf('mesh.audit.').map(([key, { last }]) => `${key} ${last.value}`)
  assert.deepEqual(keys?.sort(), [
    'mesh.audit.limits members refusals 0',
    'mesh.audit.limits peers limit 300',
    'mesh.audit.limits peers refusals 2',
    'mesh.audit.limits peers usage 7',
    'mesh.audit.owned node/network timer held 3',
  ])
})

test('numbers of spans from the middle of a life: those between the lowest and the highest are missing', () => {
  const seqs = new SeqSet()
  assert.equal(seqs.missing, 0)
  for (const seq of [100, 103, 104]) seqs.add(seq)
  assert.equal(seqs.missing, 2)
})

test('a seed of the census: its attempt is a series of its own', () => {
  const fold = new EvidenceFold()
  const address = '/ip4/10.0.0.1/udp/4001/quic-v1'
  fold.add(spanOf('mesh.audit', 1, { 'mesh.audit.seeds': [`${address} waiting 2 3/10 4000`] }))
  const [instance] = fold.evidence(complete).instances
  const numbers = ['campaign', 'attempt', 'attempts', 'next_ms'].map(
    (field) => instance?.series(`mesh.audit.seeds ${address} ${field}`)?.last.value,
  )
  assert.deepEqual(numbers, [2, 3, 10, 4_000])
})
