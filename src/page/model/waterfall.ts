import type { Query } from '../../traces/reader.ts'
import type { Trace, TraceSpan } from '../../traces/trace.ts'

/** One row of a waterfall. */
export interface WaterfallRow {
  readonly span: TraceSpan
  /** 0 for a root. */
  readonly depth: number
  readonly children: number
  /** Number of descendants. */
  readonly below: number
  /** Start and length as fractions of the trace. */
  readonly from: number
  readonly length: number
  /** Milliseconds from the start of the trace. */
  readonly afterMs: number
  /** It marks a moment, so that its offset says more than its duration. */
  readonly isMarker: boolean
  /** Its parent is not (or not yet) in this trace. */
  readonly isOrphan: boolean
}

/** A marker has no duration, but stores keep at least 1 μs, and a number of milliseconds is exact to a quarter of that. */
const longestMarkerMs = 0.002

/**
 * Rows of a trace, parents before their children, siblings by start. A span whose parent is missing is a root. A cycle
 * of parents, which only a broken sender emits, appears once with all its spans.
 */
export function waterfall(spans: readonly TraceSpan[]): readonly WaterfallRow[] {
  const ids = new Set(spans.map(({ spanId }) => spanId))
  const children = Map.groupBy(spans, ({ parentSpanId }) => parentSpanId)
  const { startMs, durationMs } = extent(spans)
  const rows: WaterfallRow[] = []
  const visited = new Set<TraceSpan>()
  const walk = (span: TraceSpan, depth: number): number => {
    if (visited.has(span)) return 0
    visited.add(span)
    const index = rows.length
    const ownChildren = byStart(children.get(span.spanId) ?? []).filter((child) => !visited.has(child))
    rows.push({
      span,
      depth,
      children: ownChildren.length,
      below: 0,
      from: (span.startMs - startMs) / durationMs,
      length: span.durationMs / durationMs,
      afterMs: span.startMs - startMs,
      isMarker: span.durationMs < longestMarkerMs,
      isOrphan: span.parentSpanId !== '' && !ids.has(span.parentSpanId),
    })
    const below = ownChildren.reduce((sum, child) => sum + walk(child, depth + 1), 0)
    const row = rows[index]
    if (row !== undefined) rows[index] = { ...row, below }
    return below + 1
  }
  const roots = spans.filter(({ parentSpanId }) => parentSpanId === '' || !ids.has(parentSpanId))
  for (const span of byStart(roots)) walk(span, 0)
  for (const span of byStart(spans)) walk(span, 0)
  return rows
}

/** Drops the descendants of closed spans. */
export function visibleRows(rows: readonly WaterfallRow[], closed: ReadonlySet<string>): readonly WaterfallRow[] {
  const visible: WaterfallRow[] = []
  let hiddenBelow = Number.POSITIVE_INFINITY
  for (const row of rows) {
    if (row.depth > hiddenBelow) continue
    hiddenBelow = closed.has(row.span.spanId) ? row.depth : Number.POSITIVE_INFINITY
    visible.push(row)
  }
  return visible
}

/** Start and duration of a trace, in milliseconds; the duration is never 0, since it is a divisor. */
export function extent(spans: readonly TraceSpan[]): { readonly startMs: number; readonly durationMs: number } {
  const startMs = spans.reduce((least, span) => Math.min(least, span.startMs), Number.POSITIVE_INFINITY)
  const endMs = spans.reduce((most, span) => Math.max(most, span.startMs + span.durationMs), Number.NEGATIVE_INFINITY)
  return spans.length === 0 ? { startMs: 0, durationMs: 1 } : { startMs, durationMs: Math.max(endMs - startMs, 0.001) }
}

function byStart(spans: readonly TraceSpan[]): readonly TraceSpan[] {
  return [...spans].sort((a, b) => a.startMs - b.startMs)
}

/** Search range after and before a span without shared ids. Guess. */
const afterMs = 150_000
const beforeMs = 5_000
/** A link may live for days; the search by id finds its end. */
const maxAgeMs = 7 * 86_400_000

/** Ids that a span shares with later spans that link to it. */
const sharedIds = ['mesh.link.id', 'mesh.connection.id', 'mesh.message.id', 'mesh.seed.address'] as const

/**
 * Queries that can find spans linking to a span, since `/api/v3` cannot search by link: all spans around its time, and
 * all later spans that share an id with it.
 */
export function linkQueries(span: TraceSpan, services: readonly string[], nowMs: number): Query[] {
  const near = { fromMs: span.startMs - beforeMs, toMs: Math.min(nowMs, span.startMs + span.durationMs + afterMs) }
  const since = { fromMs: Math.max(span.startMs - beforeMs, nowMs - maxAgeMs), toMs: nowMs }
  const ids = sharedIds.flatMap((key) => {
    const value = span.attributes[key]
    return typeof value === 'string' && value !== '' ? [{ [key]: value }] : []
  })
  return services.flatMap((service) => [
    { service, ...near, limit: 300 },
    ...ids.map((attributes) => ({ service, ...since, attributes, limit: 50 })),
  ])
}

/** Spans in `traces` that link to `span`, each once, sorted by start. */
export function spansLinkingTo(span: TraceSpan, traces: readonly Trace[]): TraceSpan[] {
  const matches = traces
    .flatMap(({ spans }) => spans)
    .filter(({ links }) => links.some((link) => link.traceId === span.traceId && link.spanId === span.spanId))
  const byId = new Map(matches.map((one) => [`${one.traceId}/${one.spanId}`, one]))
  return [...byId.values()].sort((a, b) => a.startMs - b.startMs)
}
