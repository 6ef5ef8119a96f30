import {
  decimal,
  milliseconds,
  type WireKeyValue,
  type WireRequest,
  type WireSpan,
  type WireValue,
} from '../../store/wire.ts'

/** One span as decoded by the receiver. Ids are lower-case hex, `parentSpanId` is empty for a root. */
export interface ReceivedSpan {
  readonly name: string
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId: string
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[]
  readonly attributes: Readonly<Record<string, AttributeValue>>
  /** Shared by all spans of one request and resource. */
  readonly resource: Readonly<Record<string, AttributeValue>>
  /** Unix milliseconds. */
  readonly startMs: number
  readonly endMs: number
  readonly status: 'unset' | 'ok' | 'error'
}

export type AttributeValue = string | number | boolean | readonly AttributeValue[]

export function spansOf(request: WireRequest): ReceivedSpan[] {
  return request.resource_spans.flatMap(({ resource, scope_spans }) => {
    const shared = record(resource?.attributes ?? [])
    return scope_spans.flatMap((scope) => scope.spans.map((span) => decode(span, shared)))
  })
}

function decode(span: WireSpan, resource: ReceivedSpan['resource']): ReceivedSpan {
  return {
    name: span.name,
    traceId: span.trace_id.toString('hex'),
    spanId: span.span_id.toString('hex'),
    parentSpanId: span.parent_span_id.toString('hex'),
    links: span.links.map((link) => ({ traceId: link.trace_id.toString('hex'), spanId: link.span_id.toString('hex') })),
    attributes: record(span.attributes),
    resource,
    startMs: milliseconds(span.start_time_unix_nano),
    endMs: milliseconds(span.end_time_unix_nano),
    status: (['unset', 'ok', 'error'] as const)[span.status?.code ?? 0] ?? 'unset',
  }
}

function record(pairs: readonly WireKeyValue[]): Record<string, AttributeValue> {
  return Object.fromEntries(pairs.map(({ key, value }) => [key, plain(value)]))
}

function plain(wire: WireValue | null): AttributeValue {
  switch (wire?.value) {
    case 'bool_value':
      return wire.bool_value ?? false
    case 'int_value':
      return wire.int_value === undefined ? 0 : Number(decimal(wire.int_value))
    case 'double_value':
      return wire.double_value ?? 0
    case 'array_value':
      return (wire.array_value?.values ?? []).map(plain)
    default:
      return wire?.string_value ?? ''
  }
}
