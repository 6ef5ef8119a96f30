import { toCurrentAttribute } from '../catalogue/renamed.ts'
import type { TraceSpan, Value } from './trace.ts'

/** A response without the expected shape; the message names the field. */
export class ShapeError extends Error {}

/** Spans of a response, and why others could not be read. */
export interface ReadResult {
  readonly spans: readonly TraceSpan[]
  /** One reason for each span left out; a group that is not an object counts as one. */
  readonly unreadable: readonly string[]
}

/**
 * Reads the spans of an `/api/v3/traces` response: OTLP as JSON within `result`. Numbers may be texts, ids hex or
 * base64, empty fields absent; unknown fields are ignored. An unreadable span, link or attribute is left out alone.
 *
 * @throws ShapeError for another response
 */
export function readSpans(answer: unknown): ReadResult {
  return readResourceSpans(toRecord(toRecord(answer, 'the answer')['result'], 'result'))
}

/**
 * Reads the spans of OTLP as JSON, as a request or a line of a file has it: `{"resourceSpans":[…]}`.
 *
 * @throws ShapeError if the spans are not a list
 */
export function readResourceSpans(request: Fields): ReadResult {
  const spans: TraceSpan[] = []
  const unreadable: string[] = []
  const each = (entries: readonly unknown[], read: (entry: unknown) => void) => {
    for (const entry of entries) {
      const problem = problemOf(() => read(entry))
      if (problem !== undefined) unreadable.push(problem)
    }
  }
  each(toList(request['resourceSpans'], 'resourceSpans'), (entry) => {
    const group = toRecord(entry, 'resourceSpans[]')
    const resource = attributes(fieldsOf(group['resource'])['attributes'])
    each(toList(group['scopeSpans'], 'scopeSpans'), (part) => {
      const scopeSpans = toRecord(part, 'scopeSpans[]')
      const scope = scopeOf(scopeSpans['scope'])
      each(toList(scopeSpans['spans'], 'spans'), (span) => spans.push(spanOf(toRecord(span, 'span'), scope, resource)))
    })
  })
  return { spans, unreadable }
}

/** Why `run` could not read its input: an unexpected shape, or nesting that exhausts the stack. */
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

export type Fields = Readonly<Record<string, unknown>>

function spanOf(span: Fields, scope: TraceSpan['scope'], resource: TraceSpan['resource']): TraceSpan {
  const start = nanoseconds(span['startTimeUnixNano'], 'startTimeUnixNano')
  const end = nanoseconds(span['endTimeUnixNano'], 'endTimeUnixNano')
  const service = resource['service.name']
  const status = enumName(fieldsOf(span['status'])['code'], statuses, 'STATUS_CODE_')
  return {
    traceId: toId(span['traceId'], 32, 'traceId'),
    spanId: toId(span['spanId'], 16, 'spanId'),
    // Jaeger's own senders have written parent ids of every length: an invalid one makes a root.
    parentSpanId: parseId(span['parentSpanId'], 16),
    name: toText(span['name'] ?? '', 'name'),
    service: typeof service === 'string' ? service : '',
    kind: enumName(span['kind'], kinds, 'SPAN_KIND_'),
    startMs: milliseconds(start),
    // A clock that was set back makes a span end before its start.
    durationMs: Math.max(0, milliseconds(end - start)),
    attributes: attributes(span['attributes']),
    resource,
    scope,
    links: entriesOf(span['links']).flatMap(linkOf),
    status,
  }
}

/** Empty if one of its ids is missing. */
function linkOf(entry: unknown): TraceSpan['links'] {
  const link = fieldsOf(entry)
  const traceId = parseId(link['traceId'], 32)
  const spanId = parseId(link['spanId'], 16)
  return traceId === '' || spanId === '' ? [] : [{ traceId, spanId }]
}

function scopeOf(value: unknown): TraceSpan['scope'] {
  const { name, version } = fieldsOf(value)
  return { name: typeof name === 'string' ? name : '', version: typeof version === 'string' ? version : '' }
}

export const kinds = ['', 'internal', 'server', 'client', 'producer', 'consumer'] as const
export const statuses = ['unset', 'ok', 'error'] as const

/** An OTLP enum value by its number or name; the first one for unknown values. */
function enumName<const T extends readonly [string, ...string[]]>(value: unknown, names: T, prefix: string): T[number] {
  const name = typeof value === 'string' ? value.replace(prefix, '').toLowerCase() : names[Number(value)]
  return names.find((one) => one === name) ?? names[0]
}

/** Jaeger adds its own warnings as an attribute of the span. */
export const warningsKey = '@jaeger@warnings'

/** The attributes of a list of pairs by key; an unreadable one is left out. */
export function attributes(pairs: unknown): Record<string, Value> {
  // Without a prototype: a key may be called `__proto__`.
  const all: Record<string, Value> = Object.create(null)
  for (const entry of entriesOf(pairs)) {
    const pair = fieldsOf(entry)
    const { key } = pair
    if (typeof key !== 'string' || key === warningsKey) continue
    // Leave out an unreadable attribute alone: an error in a resource would cost all spans of a node.
    problemOf(() => {
      const [name, current] = toCurrentAttribute(key, attributeValue(fieldsOf(pair['value'])))
      all[name] = current
    })
  }
  return all
}

/** The fields of an object; empty for anything else. */
export function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {}
}

/** The entries of a list; empty for anything else. */
export function entriesOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

function attributeValue(wire: Fields): Value {
  const { arrayValue, kvlistValue } = wire
  if (arrayValue !== undefined && arrayValue !== null) {
    return entriesOf(fieldsOf(arrayValue)['values']).map((inner) => scalarOf(fieldsOf(inner)))
  }
  return kvlistValue === undefined || kvlistValue === null ? scalarOf(wire) : JSON.stringify(kvlistValue)
}

function scalarOf({
  stringValue,
  boolValue,
  intValue,
  doubleValue,
  bytesValue,
  ...rest
}: Fields): string | number | boolean {
  if (typeof stringValue === 'string') return stringValue
  if (typeof boolValue === 'boolean') return boolValue
  if (intValue !== undefined && intValue !== null) return toInteger(intValue)
  // NaN and the infinities are texts in JSON.
  if (doubleValue !== undefined && doubleValue !== null) return Number(doubleValue)
  if (typeof bytesValue === 'string') return bytesValue
  return Object.keys(rest).length === 0 ? '' : JSON.stringify(rest)
}

/** An integer that a JavaScript number cannot hold stays a text. */
function toInteger(value: unknown): string | number {
  const number = Number(value)
  if (!Number.isInteger(number)) throw new ShapeError(`intValue is ${excerpt(value)}`)
  return Number.isSafeInteger(number) ? number : String(value)
}

/** Reads a text, as in OTLP, or a number, which JSON has rounded to a quarter of a microsecond. */
function nanoseconds(value: unknown, what: string): bigint {
  if (value === undefined || value === null) return 0n
  if (typeof value === 'string' && /^\d{1,20}$/.test(value)) return BigInt(value)
  if (typeof value === 'number' && value >= 0 && value < 2 ** 64) return BigInt(Math.trunc(value))
  throw new ShapeError(`${what} is ${excerpt(value)}, not a number of nanoseconds`)
}

function milliseconds(nanos: bigint): number {
  return Number(nanos / 1_000_000n) + Number(nanos % 1_000_000n) / 1e6
}

function toId(value: unknown, digits: number, what: string): string {
  const hex = parseId(value, digits)
  if (hex === '') throw new ShapeError(`${what} is ${excerpt(value)}, not ${digits} hex digits`)
  return hex
}

/** Lower-case hex from hex or from base64, protobuf's own JSON format of bytes; empty for zeros or anything else. */
function parseId(value: unknown, digits: number): string {
  if (typeof value !== 'string') return ''
  const isHex = value.length === digits && /^[0-9a-fA-F]+$/.test(value)
  const hex = isHex ? value.toLowerCase() : hexOfBase64(value)
  return hex?.length === digits && /[^0]/.test(hex) ? hex : ''
}

/** Undefined if it is not base64. Works in a browser, too. */
function hexOfBase64(value: string): string | undefined {
  if (value.length > 24 || !/^[A-Za-z0-9+/]+={0,2}$/.test(value) || value.length % 4 !== 0) return undefined
  return [...atob(value)].map((char) => char.charCodeAt(0).toString(16).padStart(2, '0')).join('')
}

function toText(value: unknown, what: string): string {
  if (typeof value !== 'string') throw new ShapeError(`${what} is ${excerpt(value)}, not a text`)
  return value
}

export function toRecord(value: unknown, what: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new ShapeError(`${what} is ${excerpt(value)}, not an object`)
  return value as Fields
}

/** A missing list is empty. */
export function toList(value: unknown, what: string): readonly unknown[] {
  if (value === undefined || value === null) return []
  if (!Array.isArray(value)) throw new ShapeError(`${what} is ${excerpt(value)}, not a list`)
  return value
}

function excerpt(value: unknown): string {
  return value === undefined ? 'missing' : (JSON.stringify(value) ?? typeof value).slice(0, 60)
}
