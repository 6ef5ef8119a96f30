import {
  decimal,
  type WireKeyValue,
  type WireLink,
  type WireRequest,
  type WireSpan,
  type WireValue,
} from '../store/wire.ts'

/** An export request as one line of the Collector's file exporter: OTLP as JSON, ids in hex, numbers of 64 bits as texts. */
export function otlpLine({ resource_spans }: WireRequest): string {
  const resourceSpans = resource_spans.map(({ resource, scope_spans }) => ({
    resource: { attributes: attributesOf(resource?.attributes) },
    scopeSpans: scope_spans.map(({ scope, spans }) => ({
      scope: { name: scope?.name ?? '', version: scope?.version ?? '' },
      spans: spans.map(spanOf),
    })),
  }))
  return JSON.stringify({ resourceSpans })
}

function spanOf(span: WireSpan): object {
  const parentSpanId = span.parent_span_id.toString('hex')
  return {
    traceId: span.trace_id.toString('hex'),
    spanId: span.span_id.toString('hex'),
    ...(parentSpanId !== '' && { parentSpanId }),
    name: span.name,
    kind: span.kind,
    startTimeUnixNano: decimal(span.start_time_unix_nano),
    endTimeUnixNano: decimal(span.end_time_unix_nano),
    attributes: attributesOf(span.attributes),
    ...(span.events.length > 0 && {
      events: span.events.map((event) => ({
        timeUnixNano: decimal(event.time_unix_nano),
        name: event.name,
        attributes: attributesOf(event.attributes),
      })),
    }),
    ...(span.links.length > 0 && { links: span.links.map(linkOf) }),
    status: span.status === null ? {} : { code: span.status.code, message: span.status.message },
  }
}

function linkOf(link: WireLink): object {
  return {
    traceId: link.trace_id.toString('hex'),
    spanId: link.span_id.toString('hex'),
    attributes: attributesOf(link.attributes),
  }
}

function attributesOf(pairs: readonly WireKeyValue[] = []): object[] {
  return pairs.map(({ key, value }) => ({ key, value: toOtlpValue(value) }))
}

function toOtlpValue(wire: WireValue | null): object {
  switch (wire?.value) {
    case 'bool_value':
      return { boolValue: wire.bool_value }
    case 'int_value':
      return { intValue: wire.int_value === undefined ? '0' : decimal(wire.int_value) }
    case 'double_value':
      return { doubleValue: wire.double_value }
    case 'array_value':
      return { arrayValue: { values: (wire.array_value?.values ?? []).map(toOtlpValue) } }
    case 'kvlist_value':
      return { kvlistValue: { values: attributesOf(wire.kvlist_value?.values) } }
    case 'bytes_value':
      return { bytesValue: wire.bytes_value?.toString('base64') }
    default:
      return { stringValue: wire?.string_value ?? '' }
  }
}
