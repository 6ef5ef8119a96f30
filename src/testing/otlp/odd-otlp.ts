import assert from 'node:assert/strict'
import fc from 'fast-check'
import { exportBytes, type SentSpan } from '../../store/otlp-client.ts'
import { ownPairs, sharedPairs } from '../../store/pairs.ts'
import { recordsOf, type SpanRecord } from '../../store/span-record.ts'
import { createDecoder } from '../../store/wire.ts'
import { readSpans } from '../../traces/otlp-json.ts'

/** One length-delimited protobuf field: message, text or bytes. */
function delimited(field: number, body: Uint8Array): Buffer {
  return Buffer.concat([varint(field * 8 + 2), varint(body.length), body])
}

function varint(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest & 127) | 128)
  return Buffer.from([...bytes, rest])
}

/** An `AnyValue` of `depth` nested lists or maps. */
export function nestedValue(depth: number, kind: 'array' | 'kvlist'): Buffer {
  let value = delimited(1, Buffer.from('x'))
  for (let level = 0; level < depth; level++) {
    const inner = kind === 'array' ? delimited(1, value) : delimited(1, keyValue('k', value))
    value = delimited(kind === 'array' ? 5 : 6, inner)
  }
  return value
}

function keyValue(key: string, value: Buffer): Buffer {
  return Buffer.concat([delimited(1, Buffer.from(key)), delimited(2, value)])
}

/** The odd fields of a span; the others have usual values. */
export interface OddSpan {
  readonly traceId?: Buffer
  readonly spanId?: Buffer
  readonly parentSpanId?: Buffer
  /** Bytes of a name, UTF-8 or not. */
  readonly name?: Buffer
  /** Encoded `AnyValue` of an attribute. */
  readonly value?: Buffer
  readonly link?: { readonly traceId: Buffer; readonly spanId: Buffer }
}

export const oddSpanIds = { traceId: Buffer.alloc(16, 7), spanId: Buffer.alloc(8, 7) }

/** A request with one resource and scope: the odd spans, with a span `good` before, between and after them. */
export function oddRequest(odd: readonly OddSpan[]): Buffer {
  const spans = odd.flatMap((span, index) => [goodSpan(index), delimited(2, oddSpan(span))])
  const resource = delimited(1, delimited(1, keyValue('service.name', delimited(1, Buffer.from('mesh-a')))))
  return delimited(1, Buffer.concat([resource, delimited(2, Buffer.concat([...spans, goodSpan(odd.length)]))]))
}

function goodSpan(index: number): Buffer {
  const id = Buffer.alloc(16, 1)
  id.writeUInt32BE(index + 1, 0)
  return delimited(
    2,
    Buffer.concat([delimited(1, id), delimited(2, id.subarray(0, 8)), delimited(5, Buffer.from('good'))]),
  )
}

function oddSpan({ traceId, spanId, parentSpanId, name, value, link }: OddSpan): Buffer {
  return Buffer.concat([
    delimited(1, traceId ?? oddSpanIds.traceId),
    delimited(2, spanId ?? oddSpanIds.spanId),
    ...(parentSpanId === undefined ? [] : [delimited(4, parentSpanId)]),
    delimited(5, name ?? Buffer.from('odd')),
    ...(value === undefined ? [] : [delimited(9, keyValue('a', value))]),
    ...(link === undefined
      ? []
      : [delimited(13, Buffer.concat([delimited(1, link.traceId), delimited(2, link.spanId)]))]),
  ])
}

const bytes = (most: number) => fc.uint8Array({ maxLength: most }).map((array) => Buffer.from(array))

const nestedValues = [1, 5, 29, 30, 31, 40, 500].flatMap((depth) => [
  nestedValue(depth, 'array'),
  nestedValue(depth, 'kvlist'),
])

/** Nested, truncated, of a wrong type, or empty. */
const value = fc.oneof(fc.constantFrom(...nestedValues), bytes(40))

/** Spans with arbitrary ids, names, values and links. */
export const oddSpans: fc.Arbitrary<OddSpan[]> = fc.array(
  fc.record(
    {
      traceId: bytes(17),
      spanId: bytes(9),
      parentSpanId: bytes(9),
      name: bytes(8),
      value,
      link: fc.record({ traceId: bytes(17), spanId: bytes(9) }),
    },
    { requiredKeys: [] },
  ),
  { maxLength: 5 },
)

/** A valid request with some bytes replaced, removed or inserted. */
export const damagedRequest: fc.Arbitrary<Buffer> = fc
  .array(fc.tuple(fc.nat(), fc.constantFrom('replace', 'cut', 'insert'), fc.nat(255)), { minLength: 1, maxLength: 4 })
  .map((damages) =>
    damages.reduce(
      (request, [at, how, byte]) => {
        const index = at % request.length
        const rest = request.subarray(index + (how === 'insert' ? 0 : 1))
        return Buffer.concat([request.subarray(0, index), Buffer.from(how === 'cut' ? [] : [byte]), rest])
      },
      exportBytes({ 'service.name': 'mesh-a' }, [usualSpan(1), usualSpan(2)]),
    ),
  )

function usualSpan(number: number): SentSpan {
  const id = (digits: number) => number.toString(16).padStart(digits, '0')
  const attributes = { text: 'a', whole: 5, part: 0.5, list: ['a', 'b'] }
  return { traceId: id(32), spanId: id(16), name: 'usual', startMs: 1_790_000_000_000, attributes }
}

/** A span of a query answer with arbitrary values in any field. */
const span: fc.Arbitrary<unknown> = fc.oneof(
  fc.record(
    Object.fromEntries(
      [
        ...['traceId', 'spanId', 'parentSpanId', 'name', 'kind', 'startTimeUnixNano', 'endTimeUnixNano'],
        ...['attributes', 'links', 'status'],
      ].map((key) => [key, fc.jsonValue({ maxDepth: 4 })]),
    ),
    { requiredKeys: [] },
  ),
  fc.jsonValue({ maxDepth: 2 }),
)

const anything = fc.jsonValue({ maxDepth: 3 })

/** A resource or scope with arbitrary attributes, or an arbitrary value. */
const holder = fc.oneof(
  anything,
  fc.record({ attributes: fc.array(fc.oneof(anything, fc.record({ key: fc.string(), value: anything }))) }),
)

export const goodAnsweredSpan = {
  traceId: '1'.repeat(32),
  spanId: '2'.repeat(16),
  name: 'good',
  startTimeUnixNano: '1790000000000000000',
  endTimeUnixNano: '1790000000000000000',
}

/** An answer of `/api/v3/traces` with one good span and arbitrary data beside it. */
export const oddAnswer: fc.Arbitrary<object> = fc
  .tuple(fc.array(span, { maxLength: 4 }), fc.nat(4), fc.array(anything, { maxLength: 2 }), holder, holder)
  .map(([odd, at, groups, resource, scope]) => {
    const spans = odd.toSpliced(at, 0, goodAnsweredSpan)
    return { result: { resourceSpans: [...groups, { resource, scopeSpans: [...groups, { scope, spans }] }] } }
  })

/** Properties of intake and reader for any input, checked `runs` times each. Throws as fast-check does. */
export const oddOtlpProperties: Readonly<Record<string, (runs: number, seed: number) => void>> = {
  'the intake stores every good span of a request and counts the others; stored spans are searchable and readable': (
    numRuns,
    seed,
  ) => {
    const decode = createDecoder()
    const property = fc.property(oddSpans, (odd) => {
      const { records, refused } = recordsOf(decode(oddRequest(odd)))
      assert.equal(records.filter(({ name }) => name === 'good').length, odd.length + 1)
      assert.equal(records.length + refused, 2 * odd.length + 1)
      for (const record of records) checkUsable(record)
    })
    fc.assert(property, { numRuns, seed })
  },
  'the intake rejects a damaged request or stores its valid spans': (numRuns, seed) => {
    const decode = createDecoder()
    const property = fc.property(damagedRequest, (bytes) => {
      const request = attempt(() => decode(bytes))
      if (request === undefined) return
      for (const record of recordsOf(request).records) checkUsable(record)
    })
    fc.assert(property, { numRuns, seed })
  },
  'the reader finds the good span of an answer beside any others': (numRuns, seed) => {
    const property = fc.property(oddAnswer, (answer) => {
      const { spans } = readSpans(answer)
      assert.ok(spans.some(({ name, spanId }) => name === 'good' && spanId === goodAnsweredSpan.spanId))
    })
    fc.assert(property, { numRuns, seed })
  },
}

/** Uses a span as the store does: searches it, and returns it to the reader. */
function checkUsable(record: SpanRecord): void {
  ownPairs(record)
  sharedPairs(record.origin)
  const { resource, scope } = record.origin
  const spans = [JSON.parse(record.text)]
  const answer = { result: { resourceSpans: [{ resource, scopeSpans: [{ scope, spans }] }] } }
  assert.deepEqual(readSpans(answer).unreadable, [])
}

function attempt<T>(run: () => T): T | undefined {
  try {
    return run()
  } catch {
    return undefined
  }
}
