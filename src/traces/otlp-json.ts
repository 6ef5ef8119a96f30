import type { TraceSpan, Value } from './trace.ts'

/** What was expected of an answer and is not there; the message says where. */
export class ShapeError extends Error {}

/**
 * Spans of an `/api/v3/traces` answer: OTLP as JSON within `result`. Numbers may be texts, empty fields may be left
 * out, what is unknown is passed over.
 *
 * @throws ShapeError
 */
export function spansOf(answer: unknown): TraceSpan[] {
  const result = record(record(answer, 'the answer')['result'], 'result')
  return list(result['resourceSpans'], 'resourceSpans').flatMap((entry) => {
    const of = record(entry, 'resourceSpans[]')
    const resource = attributes(optional(of['resource'], 'resource')['attributes'])
    const name = resource['service.name']
    const service = typeof name === 'string' ? name : ''
    return list(of['scopeSpans'], 'scopeSpans').flatMap((scope) =>
      list(record(scope, 'scopeSpans[]')['spans'], 'spans').map((span) =>
        spanOf(record(span, 'span'), service, resource),
      ),
    )
  })
}

type Fields = Readonly<Record<string, unknown>>

function spanOf(span: Fields, service: string, resource: TraceSpan['resource']): TraceSpan {
  const start = nanoseconds(span['startTimeUnixNano'], 'startTimeUnixNano')
  const end = nanoseconds(span['endTimeUnixNano'], 'endTimeUnixNano')
  const { code } = optional(span['status'], 'status') as { code?: unknown }
  return {
    traceId: id(span['traceId'], 32, 'traceId'),
    spanId: id(span['spanId'], 16, 'spanId'),
    parentSpanId: span['parentSpanId'] === undefined ? '' : parent(span['parentSpanId']),
    name: text(span['name'] ?? '', 'name'),
    service,
    startMs: milliseconds(start),
    // What ends before it began took no time: a clock was set back.
    durationMs: Math.max(0, milliseconds(end - start)),
    attributes: attributes(span['attributes']),
    resource,
    links: list(span['links'], 'links').map((entry) => {
      const link = record(entry, 'link')
      return {
        traceId: id(link['traceId'], 32, 'traceId of a link'),
        spanId: id(link['spanId'], 16, 'spanId of a link'),
      }
    }),
    error: code === 2 || code === 'STATUS_CODE_ERROR',
  }
}

/** What Jaeger says of a span it answers, as if the sender had said it. */
const remarks = '@jaeger@warnings'

function attributes(pairs: unknown): Record<string, Value> {
  // Without a prototype: a key may be called `__proto__`.
  const all: Record<string, Value> = Object.create(null)
  for (const entry of list(pairs, 'attributes')) {
    const pair = record(entry, 'attribute')
    const key = text(pair['key'] ?? '', 'key of an attribute')
    if (key !== remarks) all[key] = value(optional(pair['value'], 'value of an attribute'))
  }
  return all
}

function value(wire: Fields): Value {
  const { arrayValue, kvlistValue } = wire
  if (arrayValue !== undefined) {
    const values = list(optional(arrayValue, 'arrayValue')['values'], 'values')
    return values.map((inner) => single(optional(inner, 'value of an array')))
  }
  return kvlistValue === undefined ? single(wire) : JSON.stringify(kvlistValue)
}

function single({
  stringValue,
  boolValue,
  intValue,
  doubleValue,
  bytesValue,
  ...rest
}: Fields): string | number | boolean {
  if (stringValue !== undefined) return text(stringValue, 'stringValue')
  if (typeof boolValue === 'boolean') return boolValue
  if (intValue !== undefined) return whole(intValue)
  // NaN and the infinities are texts in JSON.
  if (doubleValue !== undefined) return Number(doubleValue)
  if (bytesValue !== undefined) return text(bytesValue, 'bytesValue')
  return Object.keys(rest).length === 0 ? '' : JSON.stringify(rest)
}

/** A whole number that a JavaScript number cannot hold stays a text. */
function whole(given: unknown): string | number {
  const number = Number(given)
  if (!Number.isInteger(number)) throw new ShapeError(`intValue is ${excerpt(given)}`)
  return Number.isSafeInteger(number) ? number : String(given)
}

function nanoseconds(given: unknown, what: string): bigint {
  if (given === undefined) return 0n
  if ((typeof given !== 'string' || !/^\d{1,20}$/.test(given)) && !Number.isSafeInteger(given))
    throw new ShapeError(`${what} is ${excerpt(given)}, no count of nanoseconds`)
  return BigInt(given as string | number)
}

function milliseconds(nanos: bigint): number {
  return Number(nanos / 1_000_000n) + Number(nanos % 1_000_000n) / 1e6
}

function id(given: unknown, digits: number, what: string): string {
  if (typeof given !== 'string' || given.length !== digits || !/^[0-9a-fA-F]+$/.test(given))
    throw new ShapeError(`${what} is ${excerpt(given)}, not ${digits} hex digits`)
  return given.toLowerCase()
}

function parent(given: unknown): string {
  return given === '' || given === '0000000000000000' ? '' : id(given, 16, 'parentSpanId')
}

function text(given: unknown, what: string): string {
  if (typeof given !== 'string') throw new ShapeError(`${what} is ${excerpt(given)}, no text`)
  return given
}

export function record(given: unknown, what: string): Fields {
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    throw new ShapeError(`${what} is ${excerpt(given)}, no object`)
  return given as Fields
}

function optional(given: unknown, what: string): Fields {
  return given === undefined || given === null ? {} : record(given, what)
}

/** Left out means empty. */
export function list(given: unknown, what: string): readonly unknown[] {
  if (given === undefined || given === null) return []
  if (!Array.isArray(given)) throw new ShapeError(`${what} is ${excerpt(given)}, no list`)
  return given
}

function excerpt(given: unknown): string {
  return given === undefined ? 'missing' : (JSON.stringify(given) ?? typeof given).slice(0, 60)
}
