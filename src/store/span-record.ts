import { kindNames, ownHashes } from './pairs.ts'
import type { AnyValue, Attributed, Origin, SpanRecord } from './span-types.ts'
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
  /** Spans that cannot be kept: unreadable, without ids, nested too deep, or of a sender that says too much of itself. */
  readonly refused: number
}

/**
 * Of a resource with a scope as JSON, in characters: it is kept with every 256 spans and told with every trace. Ten
 * times what a verbose SDK says. Guess.
 */
export const originChars = 64 * 1_024

/** Levels of lists within lists that a value may have. A decoder of protobuf takes 100 messages, three for each map. */
export const nestingMax = 30

/** One span that cannot be kept costs that span alone. */
export function recordsOf(request: DecodedRequest): Records {
  const records: SpanRecord[] = []
  let refused = request.unreadable
  for (const { resource, scope_spans, schema_url } of request.resource_spans) {
    const sender = unlessTooDeep(() => senderOf(resource, schema_url))
    for (const { spans, ...scope } of scope_spans) {
      const origin = sender && unlessTooDeep(() => originOf(sender, scope))
      for (const span of spans) {
        const fit = origin !== undefined && isId(span.trace_id, 16) && isId(span.span_id, 8)
        const record = fit ? unlessTooDeep(() => recordOf(span, origin)) : undefined
        if (record === undefined) refused++
        else records.push(record)
      }
    }
  }
  return { records, refused }
}

/** Undefined where a value is nested deeper than `nestingMax`. */
function unlessTooDeep<T>(run: () => T): T | undefined {
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
  const given = resource?.attributes ?? []
  const service = serviceOf(given)
  const named = given.filter(({ key, value }) => key !== serviceKey || value?.string_value === service)
  const all =
    named.length < given.length || !named.some(({ key }) => key === serviceKey)
      ? [...named, serviceNamed(service)]
      : named
  const said = { ...attributes(all), ...(resource === null ? {} : dropped(resource)) }
  const sender = { service, resource: said, resourceSchema }
  return JSON.stringify(sender).length > originChars ? undefined : sender
}

/** Undefined when it is too long. */
function originOf(sender: Sender, { scope, schema_url }: Omit<WireScopeSpans, 'spans'>): Origin | undefined {
  const said =
    scope === null
      ? {}
      : {
          ...filled('name', scope.name),
          ...filled('version', scope.version),
          ...attributes(scope.attributes),
          ...dropped(scope),
        }
  const origin = { ...sender, scope: said, scopeSchema: schema_url }
  return JSON.stringify(origin).length > originChars ? undefined : origin
}

const serviceKey = 'service.name'

/** Spans of nobody could not be searched for: they get the names that Jaeger has for them. */
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
    ...filled('traceState', span.trace_state),
    ...(isId(span.parent_span_id, 8) ? { parentSpanId: span.parent_span_id.toString('hex') } : {}),
    ...counted('flags', span.flags),
    name: span.name,
    ...counted('kind', span.kind),
    startTimeUnixNano: decimal(span.start_time_unix_nano),
    endTimeUnixNano: decimal(span.end_time_unix_nano),
    ...attributes(span.attributes),
    ...dropped(span),
    ...listed('events', span.events.map(event)),
    ...counted('droppedEventsCount', span.dropped_events_count),
    ...listed('links', span.links.filter((link) => isId(link.trace_id, 16)).map(link)),
    ...counted('droppedLinksCount', span.dropped_links_count),
    status: { ...filled('message', span.status?.message ?? ''), ...counted('code', span.status?.code ?? 0) },
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
    ...filled('name', name),
    ...attributes(rest.attributes),
    ...dropped(rest),
  }
}

function link({ trace_id, span_id, trace_state, flags, ...rest }: WireLink): object {
  const ids = { traceId: trace_id.toString('hex'), spanId: span_id.toString('hex') }
  return {
    ...ids,
    ...filled('traceState', trace_state),
    ...attributes(rest.attributes),
    ...dropped(rest),
    ...counted('flags', flags),
  }
}

function attributes(pairs: readonly WireKeyValue[]): Attributed {
  if (pairs.length === 0) return {}
  const sorted = pairs.map(({ key, value }) => ({ key, value: plain(value) }))
  return { attributes: sorted.sort((a, b) => (a.key < b.key ? -1 : Number(a.key > b.key))) }
}

/** Throws RangeError for what is nested deeper than `nestingMax`. */
function plain(wire: WireValue | null, depth = 0): AnyValue {
  if (depth > nestingMax) throw new RangeError('nested too deep')
  const inner = (value: WireValue | null) => plain(value, depth + 1)
  switch (wire?.value) {
    case 'string_value':
      return { stringValue: wire.string_value ?? '' }
    case 'bool_value':
      return { boolValue: wire.bool_value ?? false }
    case 'int_value':
      return { intValue: wire.int_value === undefined ? '0' : decimal(wire.int_value) }
    case 'double_value':
      return { doubleValue: double(wire.double_value ?? 0) }
    case 'array_value':
      return { arrayValue: listed('values', (wire.array_value?.values ?? []).map(inner)) }
    case 'kvlist_value':
      return {
        kvlistValue: listed(
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

/** JSON has no number for these three. */
function double(value: number): number | string {
  return Number.isFinite(value) ? value : String(value)
}

function dropped({ dropped_attributes_count: count }: { readonly dropped_attributes_count: number }): object {
  return counted('droppedAttributesCount', count)
}

function filled(key: string, text: string): object {
  return text === '' ? {} : { [key]: text }
}

function counted(key: string, count: number): object {
  return count === 0 ? {} : { [key]: count }
}

function listed(key: string, entries: readonly object[]): object {
  return entries.length === 0 ? {} : { [key]: entries }
}

/** All zero stands for none. */
function isId(bytes: Buffer, length: number): boolean {
  return bytes.length === length && bytes.some((byte) => byte !== 0)
}
