import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { nestedValue, type OddSpan, oddOtlpProperties, oddRequest, oddSpanIds } from '../testing/otlp/odd-otlp.ts'
import { announceSeed } from '../testing/random.ts'
import { ownPairs, pairOf, sharedPairs } from './pairs.ts'
import { parseSearch } from './search.ts'
import { maxNesting, recordsOf } from './span-record.ts'
import { createDecoder } from './wire.ts'

leakCheck()

const decode = createDecoder()
const decodeOdd = (odd: OddSpan) => {
  const { records, refused } = recordsOf(decode(oddRequest([odd])))
  return { names: records.map(({ name }) => name), refused, odd: records.find(({ name }) => name === 'odd') }
}

test('a value nested too deep: its span is refused, and the rest of the batch is stored', () => {
  for (const kind of ['array', 'kvlist'] as const) {
    for (const depth of [1, 10, maxNesting]) assert.deepEqual(decodeOdd({ value: nestedValue(depth, kind) }).refused, 0)
    for (const depth of [maxNesting + 1, 1_000, 5_000])
      assert.deepEqual(decodeOdd({ value: nestedValue(depth, kind) }), {
        names: ['good', 'good'],
        refused: 1,
        odd: undefined,
      })
  }
})

test('a span without ids: is refused alone; a malformed parent or link is left out', () => {
  assert.equal(decodeOdd({ spanId: Buffer.alloc(0) }).refused, 1)
  assert.equal(decodeOdd({ traceId: Buffer.alloc(16) }).refused, 1)
  const { odd, refused } = decodeOdd({
    parentSpanId: Buffer.alloc(3, 1),
    link: { ...oddSpanIds, traceId: Buffer.alloc(2) },
  })
  assert.equal(refused, 0)
  assert.doesNotMatch(odd?.text ?? '', /parentSpanId|links/)
})

test('an integer beyond 2^53: is searchable by its digits, also within a list', () => {
  const big = Buffer.from([0x18, 0x81, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10])
  const inList = Buffer.concat([Buffer.from([0x2a, big.length + 2, 0x0a, big.length]), big])
  const pairsOf = (value: Buffer) => ownPairs(decodeOdd({ value }).odd ?? assert.fail('not stored'))
  assert.ok(pairsOf(big).includes(pairOf('a', '9007199254740993')))
  assert.ok(pairsOf(inList).includes(pairOf('a', '[9007199254740993]')))
})

test('kind, status, scope and resource: are searchable under the keys of Jaeger', () => {
  const attributes = { 'span.kind': 'CLIENT', 'span.status': 'Error', 'scope.name': 'lib', 'resource.zone': 'eu' }
  const times = { 'query.start_time_min': '2026-01-01T00:00:00Z', 'query.start_time_max': '2026-01-02T00:00:00Z' }
  const { pairs } = parseSearch({ ...times, 'query.attributes': JSON.stringify(attributes) })
  const resource = { attributes: [{ key: 'zone', value: { stringValue: 'eu' } }] }
  const origin = { service: 's', resource, resourceSchema: '', scope: { name: 'lib' }, scopeSchema: '' }
  const all = [...ownPairs({ origin, text: '{"kind":3,"status":{"code":2}}' }), ...sharedPairs(origin)]
  assert.deepEqual(
    pairs.filter((pair) => !all.includes(pair)),
    [],
  )
})

for (const [what, check] of Object.entries(oddOtlpProperties)) test(what, (t) => check(700, announceSeed(t)))
