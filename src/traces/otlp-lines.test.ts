import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { leakCheck } from '../testing/leak-check.ts'
import { attributeOf } from './listed-span.ts'
import { type ReadResult, readResourceSpans } from './otlp-json.ts'
import { OtlpLineReader } from './otlp-lines.ts'
import type { TraceSpan } from './trace.ts'

leakCheck()

/** All fields as plain values: the two readers make objects of different classes. */
function plain({ spans, unreadable }: ReadResult) {
  return { spans: spans.map(plainSpan), unreadable }
}

function plainSpan(span: TraceSpan) {
  const { traceId, spanId, parentSpanId, name, service, kind, startMs, durationMs, scope, links, status } = span
  const [attributes, resource] = [{ ...span.attributes }, { ...span.resource }]
  return {
    traceId,
    spanId,
    parentSpanId,
    name,
    service,
    kind,
    startMs,
    durationMs,
    scope,
    links,
    status,
    attributes,
    resource,
  }
}

const request = (spans: readonly object[], resource: readonly object[] = [text('service.name', 'mesh-a')]) => ({
  resourceSpans: [
    {
      resource: { attributes: resource },
      scopeSpans: [{ scope: { name: 'tracemesh', version: '1' }, spans, schemaUrl: 'x' }],
    },
  ],
})

function text(key: string, stringValue: string) {
  return { key, value: { stringValue } }
}

const span = {
  traceId: '884ca40c70486240ceb2166da8d3ba2d',
  spanId: 'a9a1c39f7d9744f9',
  parentSpanId: '',
  flags: 257,
  name: 'mesh.audit',
  kind: 1,
  startTimeUnixNano: '1796067662400621000',
  endTimeUnixNano: '1796067662401000007',
  attributes: [
    { key: 'mesh.audit.links', value: { intValue: '8' } },
    { key: 'nodejs.eventloop.delay.max', value: { doubleValue: 0.0125 } },
    { key: 'mesh.audit.protocols', value: { arrayValue: { values: [{ stringValue: '/chat/1 1 2 0 5' }, {}] } } },
    { key: 'mesh.audit.unread', value: { arrayValue: {} } },
    { key: 'mesh.pruned.suspended', value: { boolValue: false } },
    text('mesh.error.message', 'a “quoted” \\ "word"\n'),
    { key: 'mesh.seq', value: { intValue: '10' } },
  ],
  links: [{ traceId: '884ca40c70486240ceb2166da8d3ba2d', spanId: 'a9a1c39f7d9744f1', flags: 257 }],
  status: { message: 'broken', code: 2 },
}

test('lines as the Collector writes them: read from their bytes, with the result of the general reader', () => {
  const reader = new OtlpLineReader()
  const events = [{ name: 'e', attributes: [] }]
  const other = {
    ...span,
    attributes: span.attributes.slice(2).toReversed(),
    status: {},
    events,
    links: [{ ...span.links[0], attributes: [] }],
  }
  for (const spans of [[span, other], [other, span, span], []]) {
    const line = Buffer.from(JSON.stringify(request(spans)))
    const usual = reader.readUsual(line)
    assert.ok(usual)
    assert.deepEqual(plain({ spans: usual, unreadable: [] }), plain(readResourceSpans(request(spans))))
  }
})

test('a value that stays the same from span to span: the same list', () => {
  const reader = new OtlpLineReader()
  const line = Buffer.from(JSON.stringify(request([span, { ...span, name: 'mesh.window' }])))
  const [first, second] = reader.readUsual(line) ?? []
  assert.ok(first && second)
  assert.equal(attributeOf(first, 'mesh.audit.protocols'), attributeOf(second, 'mesh.audit.protocols'))
  assert.deepEqual(first.attributes['mesh.audit.protocols'], ['/chat/1 1 2 0 5', ''])
})

const unusualSpans: Readonly<Record<string, object>> = {
  'an id in base64': { ...span, spanId: Buffer.from('a9a1c39f7d9744f9', 'hex').toString('base64') },
  'an id in upper case': { ...span, traceId: span.traceId.toUpperCase() },
  'an id of zeros': { ...span, spanId: '0000000000000000' },
  'a time as a number': { ...span, startTimeUnixNano: 1_796_067_662_400 },
  'a time of 1970': { ...span, startTimeUnixNano: '12' },
  'a kind by its name': { ...span, kind: 'SPAN_KIND_CLIENT' },
  'a renamed attribute': { ...span, attributes: [{ key: 'process.memory.rss_mb', value: { intValue: '3' } }] },
  'a map': { ...span, attributes: [{ key: 'a', value: { kvlistValue: { values: [] } } }] },
  bytes: { ...span, attributes: [{ key: 'a', value: { bytesValue: 'AAAA' } }] },
  'a list in a list': { ...span, attributes: [{ key: 'a', value: { arrayValue: { values: [{ arrayValue: {} }] } } }] },
  NaN: { ...span, attributes: [{ key: 'a', value: { doubleValue: 'NaN' } }] },
  'an integer beyond a number': { ...span, attributes: [{ key: 'a', value: { intValue: '9223372036854775807' } }] },
  'a torn integer': { ...span, attributes: [{ key: 'a', value: { intValue: '1x' } }] },
  'an unknown field': { ...span, colour: 'red' },
  'no attributes': { ...span, attributes: null },
}

test('whatever is unusual: the result of the general reader', () => {
  for (const [what, odd] of Object.entries(unusualSpans)) {
    const reader = new OtlpLineReader()
    const result = reader.read(Buffer.from(JSON.stringify(request([odd, span]))))
    assert.deepEqual(plain(result), plain(readResourceSpans(request([odd, span]))), what)
  }
  const reader = new OtlpLineReader()
  const spaced = Buffer.from(JSON.stringify(request([span]), undefined, 1))
  assert.equal(reader.readUsual(spaced), undefined)
  assert.equal(reader.read(spaced).spans.length, 1)
  assert.equal(reader.read(Buffer.from(JSON.stringify({ result: request([span]) }))).spans.length, 1)
})

const key = fc.oneof(fc.constantFrom('mesh.seq', 'a', 'b', '__proto__'), fc.string({ maxLength: 3 }))
const scalar = fc.oneof(
  fc.record({ stringValue: fc.string() }),
  fc.record({ intValue: fc.oneof(fc.integer(), fc.integer().map(String)) }),
  fc.record({ doubleValue: fc.double({ noNaN: true, noDefaultInfinity: true }) }),
  fc.record({ boolValue: fc.boolean() }),
  fc.constant({}),
)
const rare = fc.oneof(
  fc.constant({ key: 'error.message', value: { stringValue: 'x' } }),
  fc.constant({ key: 'n', value: { doubleValue: 'NaN' } }),
  fc.record({ key: fc.string({ unit: 'grapheme' }), value: fc.record({ intValue: fc.bigInt().map(String) }) }),
)
const value = fc.oneof(scalar, fc.record({ arrayValue: fc.record({ values: fc.array(scalar) }) }))
const pair = fc.oneof({ weight: 40, arbitrary: fc.record({ key, value }) }, { weight: 1, arbitrary: rare })
const pairs = fc.uniqueArray(pair, { selector: (one) => one.key, maxLength: 8 })
const time = fc.bigInt({ min: 10n ** 18n, max: 2n * 10n ** 18n }).map(String)
const anySpan = fc.record(
  {
    traceId: fc.constant(span.traceId),
    spanId: fc.constantFrom(span.spanId, ...Array(9).fill(span.spanId), 'AAAA'),
    parentSpanId: fc.constantFrom('', span.spanId),
    name: fc.constantFrom('mesh.audit', 'mesh.window', 'GET /'),
    kind: fc.integer({ min: -1, max: 7 }),
    startTimeUnixNano: time,
    endTimeUnixNano: time,
    attributes: pairs,
    links: fc.array(fc.record({ traceId: fc.constant(span.traceId), spanId: fc.constant(span.spanId) })),
    status: fc.record({ code: fc.integer({ min: 0, max: 3 }) }, { requiredKeys: [] }),
  },
  { requiredKeys: ['traceId', 'spanId'] },
)

test('any request: both readers agree, whatever was read before', () => {
  const reader = new OtlpLineReader()
  let usual = 0
  fc.assert(
    fc.property(fc.array(anySpan, { maxLength: 4 }), pairs, (spans, resource) => {
      const one = JSON.parse(JSON.stringify(request(spans, resource)))
      const line = Buffer.from(JSON.stringify(one))
      if (reader.readUsual(line) !== undefined) usual++
      assert.deepEqual(plain(reader.read(line)), plain(readResourceSpans(one)))
    }),
    { numRuns: 400 },
  )
  assert.ok(usual > 100, `${usual} of 400 read from their bytes`)
})

test('a line that is cut anywhere: an error of its shape or syntax, and the next line is read', () => {
  const reader = new OtlpLineReader()
  const line = Buffer.from(JSON.stringify(request([span, span])))
  for (let end = 0; end < line.byteLength; end += 7) {
    assert.equal(reader.readUsual(line.subarray(0, end)), undefined)
    assert.throws(() => reader.read(line.subarray(0, end)), SyntaxError)
  }
  assert.equal(reader.readUsual(line)?.length, 2)
})
