import { renewed } from '../catalogue/renamed.ts'
import type { TraceSpan, Value } from './trace.ts'

/** What was expected of an answer and is not there; the message says where. */
export class ShapeError extends Error {}

/** Spans of an answer, and what of it could not be read. */
export interface Readings {
  readonly spans: readonly TraceSpan[]
  /** Spans left out, each with the reason; a group that is no object counts as one. */
  readonly unreadable: readonly string[]
}

/**
 * Spans of an `/api/v3/traces` answer: OTLP as JSON within `result`. Numbers may be texts, ids hex or base64, empty
 * fields may be left out, what is unknown is passed over. A span that cannot be read costs that span; a link or
 * an attribute costs itself.
 *
 * @throws ShapeError when it is no such answer
 */
export function readSpans(answer: unknown): Readings {
  const spans: TraceSpan[] = []
  const unreadable: string[] = []
  const each = (entries: readonly unknown[], read: (entry: unknown) => void) => {
    for (const entry of entries) {
      const problem = problemOf(() => read(entry))
      if (problem !== undefined) unreadable.push(problem)
    }
  }
  const result = record(record(answer, 'the answer')['result'], 'result')
  each(list(result['resourceSpans'], 'resourceSpans'), (entry) => {
    const group = record(entry, 'resourceSpans[]')
    const resource = attributes(fieldsOf(group['resource'])['attributes'])
    each(list(group['scopeSpans'], 'scopeSpans'), (part) => {
      const of = record(part, 'scopeSpans[]')
      const scope = scopeOf(of['scope'])
      each(list(of['spans'], 'spans'), (span) => spans.push(spanOf(record(span, 'span'), scope, resource)))
    })
  })
  return { spans, unreadable }
}

/** Why `run` could not read something: a shape that it does not have, or nesting that exhausts the stack. */
function problemOf(run: () => void): string | undefined {
  try {
    run()
    return undefined
  } catch (error) {
    if (error instanceof ShapeError) return error.message
    if (error instanceof RangeError) return 'nested too deep'
    throw error
  }
}

type Fields = Readonly<Record<string, unknown>>

function spanOf(span: Fields, scope: TraceSpan['scope'], resource: TraceSpan['resource']): TraceSpan {
  const start = nanoseconds(span['startTimeUnixNano'], 'startTimeUnixNano')
  const end = nanoseconds(span['endTimeUnixNano'], 'endTimeUnixNano')
  const service = resource['service.name']
  const status = named(fieldsOf(span['status'])['code'], statuses, 'STATUS_CODE_')
  return {
    traceId: id(span['traceId'], 32, 'traceId'),
    spanId: id(span['spanId'], 16, 'spanId'),
    // Jaeger's own senders have written parents of every length: what is none makes a root.
    parentSpanId: idOr('', span['parentSpanId'], 16),
    name: text(span['name'] ?? '', 'name'),
    service: typeof service === 'string' ? service : '',
    kind: named(span['kind'], kinds, 'SPAN_KIND_'),
    startMs: milliseconds(start),
    // What ends before it began took no time: a clock was set back.
    durationMs: Math.max(0, milliseconds(end - start)),
    attributes: attributes(span['attributes']),
    resource,
    scope,
    links: entriesOf(span['links']).flatMap(linkOf),
    status,
  }
}

/** None where one of its ids is missing. */
function linkOf(entry: unknown): TraceSpan['links'] {
  const link = fieldsOf(entry)
  const traceId = idOr('', link['traceId'], 32)
  const spanId = idOr('', link['spanId'], 16)
  return traceId === '' || spanId === '' ? [] : [{ traceId, spanId }]
}

function scopeOf(given: unknown): TraceSpan['scope'] {
  const { name, version } = fieldsOf(given)
  return { name: typeof name === 'string' ? name : '', version: typeof version === 'string' ? version : '' }
}

const kinds = ['', 'internal', 'server', 'client', 'producer', 'consumer'] as const
const statuses = ['unset', 'ok', 'error'] as const

/** An enumeration of OTLP, by its number or its name; what is unknown is the first. */
function named<const T extends readonly [string, ...string[]]>(given: unknown, names: T, prefix: string): T[number] {
  const name = typeof given === 'string' ? given.replace(prefix, '').toLowerCase() : names[Number(given)]
  return names.find((known) => known === name) ?? names[0]
}

/** What Jaeger says of a span it answers, as if the sender had said it. */
const remarks = '@jaeger@warnings'

function attributes(pairs: unknown): Record<string, Value> {
  // Without a prototype: a key may be called `__proto__`.
  const all: Record<string, Value> = Object.create(null)
  for (const entry of entriesOf(pairs)) {
    const pair = fieldsOf(entry)
    const { key } = pair
    if (typeof key !== 'string' || key === remarks) continue
    // One that cannot be read costs itself: on a resource it would cost the spans of a whole node.
    problemOf(() => {
      const [name, current] = renewed(key, value(fieldsOf(pair['value'])))
      all[name] = current
    })
  }
  return all
}

/** No fields, and no entries, of what is neither object nor list. */
function fieldsOf(given: unknown): Fields {
  return typeof given === 'object' && given !== null && !Array.isArray(given) ? (given as Fields) : {}
}

function entriesOf(given: unknown): readonly unknown[] {
  return Array.isArray(given) ? given : []
}

function value(wire: Fields): Value {
  const { arrayValue, kvlistValue } = wire
  if (arrayValue !== undefined && arrayValue !== null) {
    return entriesOf(fieldsOf(arrayValue)['values']).map((inner) => single(fieldsOf(inner)))
  }
  return kvlistValue === undefined || kvlistValue === null ? single(wire) : JSON.stringify(kvlistValue)
}

function single({
  stringValue,
  boolValue,
  intValue,
  doubleValue,
  bytesValue,
  ...rest
}: Fields): string | number | boolean {
  if (typeof stringValue === 'string') return stringValue
  if (typeof boolValue === 'boolean') return boolValue
  if (intValue !== undefined && intValue !== null) return whole(intValue)
  // NaN and the infinities are texts in JSON.
  if (doubleValue !== undefined && doubleValue !== null) return Number(doubleValue)
  if (typeof bytesValue === 'string') return bytesValue
  return Object.keys(rest).length === 0 ? '' : JSON.stringify(rest)
}

/** A whole number that a JavaScript number cannot hold stays a text. */
function whole(given: unknown): string | number {
  const number = Number(given)
  if (!Number.isInteger(number)) throw new ShapeError(`intValue is ${excerpt(given)}`)
  return Number.isSafeInteger(number) ? number : String(given)
}

/** Texts as OTLP has it, or numbers, which JSON has rounded to a quarter of a microsecond. */
function nanoseconds(given: unknown, what: string): bigint {
  if (given === undefined || given === null) return 0n
  if (typeof given === 'string' && /^\d{1,20}$/.test(given)) return BigInt(given)
  if (typeof given === 'number' && given >= 0 && given < 2 ** 64) return BigInt(Math.trunc(given))
  throw new ShapeError(`${what} is ${excerpt(given)}, no count of nanoseconds`)
}

function milliseconds(nanos: bigint): number {
  return Number(nanos / 1_000_000n) + Number(nanos % 1_000_000n) / 1e6
}

function id(given: unknown, digits: number, what: string): string {
  const found = idOr('', given, digits)
  if (found === '') throw new ShapeError(`${what} is ${excerpt(given)}, not ${digits} hex digits`)
  return found
}

/** Hex in lower case; base64, as protobuf's own JSON has bytes, is understood too. What is all zero is none. */
function idOr(otherwise: '', given: unknown, digits: number): string {
  if (typeof given !== 'string') return otherwise
  const isHex = given.length === digits && /^[0-9a-fA-F]+$/.test(given)
  const hex = isHex ? given.toLowerCase() : hexOfBase64(given)
  return hex?.length === digits && /[^0]/.test(hex) ? hex : otherwise
}

/** Undefined for what is no base64. Works in a browser, too. */
function hexOfBase64(given: string): string | undefined {
  if (given.length > 24 || !/^[A-Za-z0-9+/]+={0,2}$/.test(given) || given.length % 4 !== 0) return undefined
  return [...atob(given)].map((char) => char.charCodeAt(0).toString(16).padStart(2, '0')).join('')
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

/** Left out means empty. */
export function list(given: unknown, what: string): readonly unknown[] {
  if (given === undefined || given === null) return []
  if (!Array.isArray(given)) throw new ShapeError(`${what} is ${excerpt(given)}, no list`)
  return given
}

function excerpt(given: unknown): string {
  return given === undefined ? 'missing' : (JSON.stringify(given) ?? typeof given).slice(0, 60)
}
