export type Value = string | number | boolean | readonly (string | number | boolean)[]

/** A span as a trace store answers it, times as numbers. */
export interface TraceSpan {
  /** 32 lower-case hex digits. */
  readonly traceId: string
  /** 16 lower-case hex digits. */
  readonly spanId: string
  /** Empty for a root. */
  readonly parentSpanId: string
  readonly name: string
  /** `service.name` of the resource; empty when there is none. */
  readonly service: string
  /** Empty for none. */
  readonly kind: '' | 'internal' | 'server' | 'client' | 'producer' | 'consumer'
  /** Milliseconds since 1970, fractions kept: to about a quarter of a microsecond. */
  readonly startMs: number
  readonly durationMs: number
  readonly attributes: Readonly<Record<string, Value>>
  /** Shared by the spans of one resource. */
  readonly resource: Readonly<Record<string, Value>>
  /** Instrumentation scope; empty where there is none. */
  readonly scope: { readonly name: string; readonly version: string }
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[]
  readonly status: 'unset' | 'ok' | 'error'
}

export interface Trace {
  readonly traceId: string
  /** By start; never empty. */
  readonly spans: readonly TraceSpan[]
  /** Spans that could not be read and are left out, where the trace was asked for by its id. */
  readonly unreadable?: number
}

/** Groups spans into traces, the one that began last first. What came twice is there once. */
export function tracesOf(spans: readonly TraceSpan[]): Trace[] {
  const grouped = Map.groupBy(spans, ({ traceId }) => traceId)
  return [...grouped]
    .map(([traceId, all]): Trace => ({ traceId, spans: once(all).sort((a, b) => a.startMs - b.startMs) }))
    .sort((a, b) => (b.spans[0]?.startMs ?? 0) - (a.spans[0]?.startMs ?? 0))
}

/** A sender that got no answer sends again: a span with the same id, name and start is the same span. */
function once(spans: readonly TraceSpan[]): TraceSpan[] {
  const unique = new Map(spans.map((span) => [`${span.spanId} ${span.startMs} ${span.name}`, span]))
  return [...unique.values()]
}
