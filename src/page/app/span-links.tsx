import { useState } from 'preact/hooks'
import type { Trace, TraceSpan } from '../../traces/trace.ts'
import { linkingTo, neighbourhood } from '../model/neighbourhood.ts'
import { reader } from './ask.ts'
import { Partial, Problem, TraceLink } from './parts.tsx'
import { useLoaded } from './use-loaded.ts'

interface LinkedFromProps {
  readonly span: TraceSpan
  readonly services: readonly string[]
  /** Whether somebody asked to see this span. */
  readonly byHand: boolean
}

/** Spans of other traces that link to this one. Looking for them is many searches: only on request. */
export function LinkedFrom({ span, services, byHand }: LinkedFromProps) {
  const [wanted, setWanted] = useState(byHand)
  if (!wanted) {
    return (
      <button type="button" class="small" onClick={() => setWanted(true)}>
        Look for what links here
      </button>
    )
  }
  return <Found span={span} services={services} />
}

function Found({ span, services }: Omit<LinkedFromProps, 'byHand'>) {
  const key = `${span.traceId} ${span.spanId}`
  const { value, problem, loading } = useLoaded(key, (stale) => search(span, services, stale))
  if (loading && value === undefined) return <p class="quiet">Looking for what links here …</p>
  if (problem !== undefined) return <Problem text={problem} />
  return (
    <>
      {value === undefined || value.spans.length === 0 ? (
        <p class="quiet">Nothing found that links here.</p>
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

/** `/api/v3` is asked for all that may link here, one question after the other, and what does is kept. */
async function search(span: TraceSpan, services: readonly string[], stale: () => boolean) {
  const traces: Trace[] = []
  let partial: string | undefined
  for (const query of neighbourhood(span, services, Date.now())) {
    if (stale()) break
    const found = await reader.find(query)
    // Only what links here is worth keeping of hundreds of traces.
    for (const { traceId, spans } of found.traces)
      traces.push({ traceId, spans: linkingTo(span, [{ traceId, spans }]) })
    partial ??= found.partial
  }
  return { spans: linkingTo(span, traces), partial }
}
