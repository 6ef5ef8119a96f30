export type Value = string | number | boolean | readonly (string | number | boolean)[]

/** A span from a trace store, with times as numbers. */
export interface TraceSpan {
  /** 32 lower-case hex digits. */
  readonly traceId: string
  /** 16 lower-case hex digits. */
  readonly spanId: string
  /** Empty for a root. */
  readonly parentSpanId: string
  readonly name: string
  /** `service.name` of the resource; empty if absent. */
  readonly service: string
  /** Empty if unspecified. */
  readonly kind: '' | 'internal' | 'server' | 'client' | 'producer' | 'consumer'
  /** Milliseconds since 1970, precise to about a quarter of a microsecond. */
  readonly startMs: number
  readonly durationMs: number
  readonly attributes: Readonly<Record<string, Value>>
  /** Shared by the spans of one resource. */
  readonly resource: Readonly<Record<string, Value>>
  /** Instrumentation scope; empty if absent. */
  readonly scope: { readonly name: string; readonly version: string }
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[]
  readonly status: 'unset' | 'ok' | 'error'
}

export interface Trace {
  readonly traceId: string
  /** By start; never empty. */
  readonly spans: readonly TraceSpan[]
  /** Number of spans left out as unreadable; set only if the trace was requested by its id. */
  readonly unreadable?: number
}

/** Groups spans into traces, the latest start first, without duplicates. */
export function tracesOf(spans: readonly TraceSpan[]): Trace[] {
  const grouped = Map.groupBy(spans, ({ traceId }) => traceId)
  return [...grouped]
    .map(([traceId, all]): Trace => ({ traceId, spans: deduplicate(all).sort((a, b) => a.startMs - b.startMs) }))
    .sort((a, b) => (b.spans[0]?.startMs ?? 0) - (a.spans[0]?.startMs ?? 0))
}

/** Removes duplicates of a sender's retries: spans of the same id, name and start. */
function deduplicate(spans: readonly TraceSpan[]): TraceSpan[] {
  const unique = new Map(spans.map((span) => [`${span.spanId} ${span.startMs} ${span.name}`, span]))
  return [...unique.values()]
}
