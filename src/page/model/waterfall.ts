import type { TraceSpan } from '../../traces/trace.ts'

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
  /** Its parent is not (or not yet) in this trace. */
  readonly isOrphan: boolean
}

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
