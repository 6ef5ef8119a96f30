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

test('more processes at once than there is room for: one that was dropped does not come back without its begin', () => {
  const fold = new EvidenceFold()
  for (let seq = 1; seq <= 4; seq++)
    for (let life = 0; life < 600; life++)
      fold.add(spanOf('mesh.audit', seq, { 'mesh.audit.opened_total': seq }, `node-${life}`))
  const { instances, dropped, partial } = fold.evidence(complete)
  assert.deepEqual([instances.length, dropped], [512, 88])
  assert.ok(instances.every(({ churnEvents }) => churnEvents === 3))
  assert.match(partial.join(), /of more than 512 processes some found no room/)
})

test('short lives beyond those that there is room for: they could not be judged, so the evidence is whole', () => {
  const fold = new EvidenceFold()
  for (const seq of [1, 100]) fold.add(spanOf('mesh.audit', seq, {}, 'long'))
  for (let life = 0; life < 600; life++) fold.add(spanOf('mesh.audit', 1 + (life % 90), {}, `life-${life}`))
  assert.deepEqual(fold.evidence(complete).partial, [])
})

test('more counts of a node, or more open links, than there is room for: the evidence is partial, and says so once', () => {
  const many = Array.from({ length: 2_100 }, (_, index) => `collection-${index} 5`)
  const fold = new EvidenceFold()
  fold.add(spanOf('mesh.audit', 1, { 'mesh.audit.applications': many }, 'full'))
  for (let link = 0; link <= 20_000; link++)
    fold.add(spanOf('mesh.hello.received', 2 + link, { 'mesh.link.id': `link-${link}` }, 'hub'))
  const { partial } = fold.evidence(complete)
  assert.deepEqual(partial, ['full has more counts than find room', 'there are more open links than find room'])
  assert.deepEqual(fold.evidence({ complete: true, partial }).partial, partial)
})

test('lives that were read in another order: they come by their begin', () => {
  const fold = new EvidenceFold()
  for (const seq of [9, 1, 5]) fold.add(spanOf('mesh.audit', seq, {}, `life-${seq}`))
  assert.deepEqual(
    fold.evidence(complete).instances.map(({ node }) => node),
    ['life-1', 'life-5', 'life-9'],
  )
})

test('registries beyond those that there is room for: counted as omitted', () => {
  const fold = new EvidenceFold()
  for (let seq = 1; seq <= 300; seq++)
    fold.add(
      spanOf('mesh.audit.application', seq, { 'mesh.registry.name': `registry-${seq}`, 'mesh.registry.size': 1 }),
    )
  assert.equal(fold.evidence(complete).instances[0]?.omitted, 44)
})

const life = (key: string, value: string | number): TraceSpan['resource'] => ({
  'service.instance.id': 'pod-1',
  'mesh.node.name': 'a',
  'mesh.peer.self': 'peer-a',
  'mesh.node.incarnation': 1,
  [key]: value,
})
const otherLives: Readonly<Record<string, Partial<TraceSpan>>> = {
  'a restart of the node': { resource: life('mesh.node.incarnation', 2) },
  'a restart under a new identity': { resource: life('mesh.peer.self', 'peer-b') },
  'another node of its pod': { resource: life('mesh.node.name', 'b') },
  'its other mesh, as of a bridge': { resource: life('mesh.node.incarnation', 1), service: 'mesh-b' },
}

for (const [what, other] of Object.entries(otherLives)) {
  test(`a service.instance.id that two lives share, ${what}: each has its own numbers, series and end of a link`, () => {
    const fold = new EvidenceFold()
    const first = { resource: life('mesh.node.incarnation', 1) }
    for (const seq of [1, 2]) {
      const counts = { 'mesh.audit.opened_total': 10 * seq }
      fold.add({ ...spanOf('mesh.audit', seq, counts), ...first })
      fold.add({ ...spanOf('mesh.audit', seq, { 'mesh.audit.opened_total': 700 * seq }), ...other })
    }
    const link = { 'mesh.link.id': 'x' }
    fold.add({ ...spanOf('mesh.hello.received', 3, link), ...first })
    fold.add({ ...spanOf('mesh.hello.received', 3, link), ...other })
    const { instances, duplicates, links } = fold.evidence(complete)
    assert.deepEqual(
      instances.map(({ churnEvents }) => churnEvents),
      [10, 700],
    )
    assert.deepEqual([duplicates, links.open()[0]?.ends.length], [0, 2])
    fold.forget(Number.POSITIVE_INFINITY)
    assert.deepEqual([fold.evidence(complete).instances.length, links.open().length], [0, 0])
  })
}

const oddTimes: Readonly<Record<string, number>> = { 'no time': 0, 'a time of next week': 1_800_600_000_000 }

for (const [what, startMs] of Object.entries(oddTimes)) {
  test(`one span with ${what}: the period, the series and the retained spans are those of the others`, () => {
    const fold = new EvidenceFold()
    const at = (seq: number) => 1_800_000_000_000 + 60_000 * seq
    const counts = (seq: number) => ({ 'mesh.audit.opened_total': seq })
    for (let seq = 1; seq <= 20; seq++) {
      const isOdd = seq === 10
      fold.add({ ...spanOf('mesh.audit', 2 * seq, counts(isOdd ? 99 : seq)), startMs: isOdd ? startMs : at(seq) })
      fold.add({ ...spanOf('mesh.seed.retry', 2 * seq + 1), startMs: isOdd ? startMs : at(seq) })
    }
    const { fromMs, toMs, instances } = fold.evidence(complete)
    const [instance] = instances
    assert.deepEqual([fromMs, toMs], [at(1), at(20)])
    assert.deepEqual([instance?.firstMs, instance?.lastMs, instance?.churnEvents], [at(1), at(20), 19])
    assert.equal(instance?.seriesOf('mesh.audit.').length, 1)
    const retries = instance?.spans('mesh.seed.retry').map((span) => span.startMs)
    assert.deepEqual([retries?.length, retries?.at(0), retries?.at(-1)], [19, at(1), at(20)])
  })
}

test('many names of many processes: each retains fewer of their spans, the earliest and the latest among them', () => {
  const fold = new EvidenceFold()
  const names = [
    'mesh.seed.retry',
    'mesh.seed.dial',
    'mesh.link.refused',
    'mesh.node.stalled',
    'mesh.leak.suspected',
  ] as const
  for (let node = 0; node < 250; node++)
    for (const [index, name] of names.entries())
      for (let seq = 1; seq <= 130; seq++) fold.add(spanOf(name, 130 * index + seq, {}, `node-${node}`))
  const { instances } = fold.evidence(complete)
  const retained = instances.flatMap((one) => names.map((name) => one.spans(name).length))
  assert.ok(retained.reduce((sum, count) => sum + count) <= 65_536)
  assert.ok(Math.max(...retained) <= 64 && Math.min(...retained) >= 16)
  const [first] = instances
  assert.equal(first?.countOf('mesh.seed.dial'), 130)
  const spans = first?.spans('mesh.seed.dial') ?? []
  assert.deepEqual([spans[0]?.startMs, spans.at(-1)?.startMs], [60_000 * 131, 60_000 * 260])
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

test('one false number of a span: it is no gap, and neither are many of them instead of the true ones', () => {
  const seqs = new SeqSet()
  for (let seq = 1; seq <= 100; seq++) seqs.add(seq)
  seqs.add(2 ** 45)
  assert.equal(seqs.missing, 0)
  for (let odd = 0; odd < 100; odd++) seqs.add(2 ** 50 + odd * 2 ** 30)
  assert.deepEqual([seqs.missing, seqs.add(101), seqs.add(101), seqs.add(103)], [0, true, false, true])
  assert.equal(seqs.missing, 1)
})

test('numbers after a gap of more than a million: a gap once they are many', () => {
  const seqs = new SeqSet()
  for (let seq = 1; seq <= 100; seq++) seqs.add(seq)
  for (let seq = 1; seq <= 20; seq++) seqs.add(2_000_100 + seq)
  assert.equal(seqs.missing, 2_000_000)
})

test('more than two million numbers of one process: the latest are known', () => {
  const seqs = new SeqSet()
  for (let page = 0; page < 70; page++) for (let seq = 1; seq <= 20; seq++) seqs.add(32_768 * page + seq)
  assert.equal(seqs.add(32_768 * 69 + 20), false)
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

test('a life that has only the census of its stop: it has a census', () => {
  const fold = new EvidenceFold()
  fold.add(spanOf('mesh.audit', 1, { 'mesh.audit.streams': 0, 'mesh.audit.cause': 'stopped' }))
  const [instance] = fold.evidence(complete).instances
  assert.deepEqual([instance?.hasCensus, instance?.censuses], [true, []])
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
