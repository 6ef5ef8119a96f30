import { kindNames, ownHashes } from './pairs.ts'
import {
  type DecodedRequest,
  decimal,
  milliseconds,
  type WireEvent,
  type WireKeyValue,
  type WireLink,
  type WireResourceSpans,
  type WireScopeSpans,
  type WireSpan,
  type WireValue,
} from './wire.ts'

export interface Records {
  readonly records: readonly SpanRecord[]
  /** Refused spans: unreadable, without ids, nested too deep, or with a resource and scope that are too long. */
  readonly refused: number
}

/**
 * Longest resource with scope as JSON, in characters: it is stored with every 256 spans and sent with every trace. Ten
 * times that of a verbose SDK. Guess.
 */
export const maxOriginChars = 64 * 1_024

/** Deepest nesting of lists in a value. A protobuf decoder allows 100 messages, three for each map. */
export const maxNesting = 30

/** Converts a request to records; refuses invalid spans one by one. */
export function recordsOf(request: DecodedRequest): Records {
  const records: SpanRecord[] = []
  let refused = request.unreadable
  for (const { resource, scope_spans, schema_url } of request.resource_spans) {
    const sender = undefinedIfTooDeep(() => senderOf(resource, schema_url))
    for (const { spans, ...scope } of scope_spans) {
      const origin = sender && undefinedIfTooDeep(() => originOf(sender, scope))
      for (const span of spans) {
        const isValid = origin !== undefined && isId(span.trace_id, 16) && isId(span.span_id, 8)
        const record = isValid ? undefinedIfTooDeep(() => recordOf(span, origin)) : undefined
        if (record === undefined) refused++
        else records.push(record)
      }
    }
  }
  return { records, refused }
}

/** Undefined if a value is nested deeper than `maxNesting`. */
function undefinedIfTooDeep<T>(run: () => T): T | undefined {
  try {
    return run()
  } catch (error) {
    if (error instanceof RangeError) return undefined
    throw error
  }
}

type Sender = Omit<Origin, 'scope' | 'scopeSchema'>

/** Undefined when it is too long. */
function senderOf(resource: WireResourceSpans['resource'], resourceSchema: string): Sender | undefined {
  const pairs = resource?.attributes ?? []
  const service = serviceOf(pairs)
  const namedPairs = pairs.filter(({ key, value }) => key !== serviceKey || value?.string_value === service)
  const all =
    namedPairs.length < pairs.length || !namedPairs.some(({ key }) => key === serviceKey)
      ? [...namedPairs, serviceNamed(service)]
      : namedPairs
  const fields = { ...attributes(all), ...(resource === null ? {} : droppedCount(resource)) }
  const sender = { service, resource: fields, resourceSchema }
  return JSON.stringify(sender).length > maxOriginChars ? undefined : sender
}

/** Undefined when it is too long. */
function originOf(sender: Sender, { scope, schema_url }: Omit<WireScopeSpans, 'spans'>): Origin | undefined {
  const fields =
    scope === null
      ? {}
      : {
          ...field('name', scope.name),
          ...field('version', scope.version),
          ...attributes(scope.attributes),
          ...droppedCount(scope),
        }
  const origin = { ...sender, scope: fields, scopeSchema: schema_url }
  return JSON.stringify(origin).length > maxOriginChars ? undefined : origin
}

const serviceKey = 'service.name'

/** Spans without a service could not be searched: they get Jaeger's placeholder names. */
function serviceOf(resource: readonly WireKeyValue[]): string {
  const value = resource.find(({ key }) => key === serviceKey)?.value
  if (value === undefined) return 'missing-service-name'
  if (value?.value !== 'string_value') return 'service-name-wrong-type'
  return value.string_value || 'empty-service-name'
}

function serviceNamed(service: string): WireKeyValue {
  return { key: serviceKey, value: { value: 'string_value', string_value: service } }
}

function recordOf(span: WireSpan, origin: Origin): SpanRecord {
  const traceId = span.trace_id.toString('hex')
  const json = {
    traceId,
    spanId: span.span_id.toString('hex'),
    ...field('traceState', span.trace_state),
    ...(isId(span.parent_span_id, 8) ? { parentSpanId: span.parent_span_id.toString('hex') } : {}),
    ...field('flags', span.flags),
    name: span.name,
    ...field('kind', span.kind),
    startTimeUnixNano: decimal(span.start_time_unix_nano),
    endTimeUnixNano: decimal(span.end_time_unix_nano),
    ...attributes(span.attributes),
    ...droppedCount(span),
    ...field('events', span.events.map(event)),
    ...field('droppedEventsCount', span.dropped_events_count),
    ...field('links', span.links.filter((link) => isId(link.trace_id, 16)).map(link)),
    ...field('droppedLinksCount', span.dropped_links_count),
    status: { ...field('message', span.status?.message ?? ''), ...field('code', span.status?.code ?? 0) },
  }
  const startMs = milliseconds(span.start_time_unix_nano)
  return {
    traceId,
    name: span.name,
    kind: kindNames[span.kind] ?? '',
    startMs,
    durationMs: milliseconds(span.end_time_unix_nano) - startMs,
    origin,
    text: JSON.stringify(json),
    hashes: ownHashes(json, origin),
  }
}

function event({ time_unix_nano, name, ...rest }: WireEvent): object {
  return {
    timeUnixNano: decimal(time_unix_nano),
    ...field('name', name),
    ...attributes(rest.attributes),
    ...droppedCount(rest),
  }
}

function link({ trace_id, span_id, trace_state, flags, ...rest }: WireLink): object {
  const ids = { traceId: trace_id.toString('hex'), spanId: span_id.toString('hex') }
  return {
    ...ids,
    ...field('traceState', trace_state),
    ...attributes(rest.attributes),
    ...droppedCount(rest),
    ...field('flags', flags),
  }
}

function attributes(pairs: readonly WireKeyValue[]): Attributed {
  if (pairs.length === 0) return {}
  const sorted = pairs.map(({ key, value }) => ({ key, value: toAnyValue(value) }))
  return { attributes: sorted.sort((a, b) => (a.key < b.key ? -1 : Number(a.key > b.key))) }
}

/** Throws RangeError for a value nested deeper than `maxNesting`. */
function toAnyValue(wire: WireValue | null, depth = 0): AnyValue {
  if (depth > maxNesting) throw new RangeError('nested too deep')
  const inner = (value: WireValue | null) => toAnyValue(value, depth + 1)
  switch (wire?.value) {
    case 'string_value':
      return { stringValue: wire.string_value ?? '' }
    case 'bool_value':
      return { boolValue: wire.bool_value ?? false }
    case 'int_value':
      return { intValue: wire.int_value === undefined ? '0' : decimal(wire.int_value) }
    case 'double_value':
      return { doubleValue: doubleValue(wire.double_value ?? 0) }
    case 'array_value':
      return { arrayValue: field('values', (wire.array_value?.values ?? []).map(inner)) }
    case 'kvlist_value':
      return {
        kvlistValue: field(
          'values',
          (wire.kvlist_value?.values ?? []).map(({ key, value }) => ({ key, value: inner(value) })),
        ),
      }
    case 'bytes_value':
      return { bytesValue: (wire.bytes_value ?? Buffer.alloc(0)).toString('base64') }
    default:
      return {}
  }
}

/** JSON has no number for NaN and the infinities. */
function doubleValue(value: number): number | string {
  return Number.isFinite(value) ? value : String(value)
}

function droppedCount({ dropped_attributes_count: count }: { readonly dropped_attributes_count: number }): object {
  return field('droppedAttributesCount', count)
}

/** Nothing for an empty text, a count of zero and an empty list, which the JSON of OTLP omits. */
function field(key: string, value: string | number | readonly object[]): object {
  const isEmpty = typeof value === 'object' ? value.length === 0 : !value
  return isEmpty ? {} : { [key]: value }
}

/** An id of zeros is invalid. */
function isId(bytes: Buffer, length: number): boolean {
  return bytes.length === length && bytes.some((byte) => byte !== 0)
}

// OTLP as JSON in Jaeger's format: ids in hex, 64-bit numbers as text, attributes sorted by key, no empty fields.

export interface KeyValue {
  readonly key: string
  readonly value: AnyValue
}

export interface AnyValue {
  readonly stringValue?: string
  readonly boolValue?: boolean
  readonly intValue?: string
  readonly doubleValue?: number | string
  readonly arrayValue?: { readonly values?: readonly AnyValue[] }
  readonly kvlistValue?: { readonly values?: readonly KeyValue[] }
  readonly bytesValue?: string
}

export interface Attributed {
  readonly attributes?: readonly KeyValue[]
}

/** Resource and scope, which spans of one export share. */
export interface Origin {
  readonly service: string
  readonly resource: Attributed
  readonly resourceSchema: string
  readonly scope: Attributed & { readonly name?: string; readonly version?: string }
  readonly scopeSchema: string
}

/** A stored span: its searchable fields, and its JSON for responses. */
export interface SpanRecord {
  readonly traceId: string
  readonly name: string
  readonly kind: string
  /** Milliseconds since 1970, with fractions; and milliseconds. */
  readonly startMs: number
  readonly durationMs: number
  readonly origin: Origin
  readonly text: string
  /** Hashes of its searchable pairs; those of a packed span are in its chunk's filter. */
  readonly hashes?: readonly number[]
}
