import type { Query } from '../../traces/reader.ts'
import type { Trace, TraceSpan } from '../../traces/trace.ts'

/** How long after a span others that link to it are looked for, when nothing better is known. Guess. */
const afterMs = 150_000
const beforeMs = 5_000
/** A link may live for days; its end is found by its id, however late. */
const maxAgeMs = 7 * 86_400_000

/** Ids that a span and the later spans linked to it share. */
const sharedIds = ['mesh.link.id', 'mesh.connection.id', 'mesh.message.id', 'mesh.seed.address'] as const

/**
 * Where to look for spans that link to one: `/api/v3` has no question for that. Everything of its time, and everything
 * that carries an id it carries, at any time since.
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

/** Spans in `traces` that link to `span`, each once, by start. */
export function spansLinkingTo(span: TraceSpan, traces: readonly Trace[]): TraceSpan[] {
  const matches = traces
    .flatMap(({ spans }) => spans)
    .filter(({ links }) => links.some((link) => link.traceId === span.traceId && link.spanId === span.spanId))
  const byId = new Map(matches.map((one) => [`${one.traceId}/${one.spanId}`, one]))
  return [...byId.values()].sort((a, b) => a.startMs - b.startMs)
}
