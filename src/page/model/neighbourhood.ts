import type { Query } from '../../traces/reader.ts'
import type { Trace, TraceSpan } from '../../traces/trace.ts'

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
