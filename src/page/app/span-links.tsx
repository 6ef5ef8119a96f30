import { useState } from 'preact/hooks'
import type { Trace, TraceSpan } from '../../traces/trace.ts'
import { linkQueries, spansLinkingTo } from '../model/neighbourhood.ts'
import { reader } from './api.ts'
import { Partial, Problem, TraceLink } from './parts.tsx'
import { useLoaded } from './use-loaded.ts'

interface LinkedFromProps {
  readonly span: TraceSpan
  readonly services: readonly string[]
  /** Whether the user opened this span. */
  readonly isUserOpened: boolean
}

/** Spans of other traces that link to this one. It takes many searches, so it runs on request only. */
export function LinkedFrom({ span, services, isUserOpened }: LinkedFromProps) {
  const [isRequested, setRequested] = useState(isUserOpened)
  if (!isRequested) {
    return (
      <button type="button" class="small" onClick={() => setRequested(true)}>
        Find spans that link here
      </button>
    )
  }
  return <LinkedSpans span={span} services={services} />
}

function LinkedSpans({ span, services }: Omit<LinkedFromProps, 'isUserOpened'>) {
  const key = `${span.traceId} ${span.spanId}`
  const { value, problem, loading } = useLoaded(key, (isStale) => findLinkedSpans(span, services, isStale))
  if (loading && value === undefined) return <p class="quiet">Searching …</p>
  if (problem !== undefined) return <Problem text={problem} />
  return (
    <>
      {value === undefined || value.spans.length === 0 ? (
        <p class="quiet">No spans link here.</p>
      ) : (
        <p>
          Linked from{' '}
          {value.spans.map((one) => (
            <TraceLink key={`${one.traceId} ${one.spanId}`} id={one.traceId} span={one.spanId}>
              {one.name} <small>{String(one.resource['mesh.node.name'] ?? one.service)}</small>
            </TraceLink>
          ))}
        </p>
      )}
      <Partial text={value?.partial} />
    </>
  )
}

/** Queries `/api/v3` for candidates, one query after the other, and keeps the spans that link here. */
async function findLinkedSpans(span: TraceSpan, services: readonly string[], isStale: () => boolean) {
  const traces: Trace[] = []
  let partial: string | undefined
  for (const query of linkQueries(span, services, Date.now())) {
    if (isStale()) break
    const result = await reader.find(query)
    // Drop the rest at once: a query may return hundreds of traces.
    for (const { traceId, spans } of result.traces)
      traces.push({ traceId, spans: spansLinkingTo(span, [{ traceId, spans }]) })
    partial ??= result.partial
  }
  return { spans: spansLinkingTo(span, traces), partial }
}
