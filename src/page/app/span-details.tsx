import type { TraceSpan, Value } from '../../traces/trace.ts'
import { clock, duration } from '../model/format.ts'
import { linkingTo, neighbourhood } from '../model/neighbourhood.ts'
import { hrefOf } from '../model/route.ts'
import { reader } from './ask.ts'
import { Problem, TraceLink } from './parts.tsx'
import { useLoaded } from './use-loaded.ts'

interface SpanDetailsProps {
  readonly span: TraceSpan
  readonly services: readonly string[]
}

/** Everything a span carries, and the links to and from it. */
export function SpanDetails({ span, services }: SpanDetailsProps) {
  return (
    <div class="span-details">
      <p class="quiet">
        {clock(span.startMs, true)}, {duration(span.durationMs)}, span <code>{span.spanId}</code>{' '}
        <a href={hrefOf('traces', undefined, { service: span.service, span: span.name })}>others of this name</a>
      </p>
      <div class="pair">
        <Attributes title="Attributes" of={span.attributes} />
        <Attributes title={`Told by ${String(span.resource['mesh.node.name'] ?? span.service)}`} of={span.resource} />
      </div>
      {span.links.length > 0 && (
        <p>
          Links to{' '}
          {span.links.map(({ traceId, spanId }) => (
            <TraceLink key={spanId} id={traceId} span={spanId}>
              trace <code>{traceId.slice(0, 8)}</code>
            </TraceLink>
          ))}
        </p>
      )}
      <LinkedFrom span={span} services={services} />
    </div>
  )
}

function Attributes({ title, of }: { readonly title: string; readonly of: Readonly<Record<string, Value>> }) {
  const entries = Object.entries(of)
  if (entries.length === 0) return null
  return (
    <table class="attributes">
      <caption>{title}</caption>
      <tbody>
        {entries.map(([key, value]) => (
          <tr key={key}>
            <th scope="row">{key}</th>
            <td>{Array.isArray(value) ? value.join(', ') : String(value)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}

/** Spans of other traces that link to this one: `/api/v3` is asked for all that may, and what does is kept. */
function LinkedFrom({ span, services }: SpanDetailsProps) {
  const { value, problem, loading } = useLoaded(`${span.traceId} ${span.spanId}`, async () => {
    const found = await Promise.all(neighbourhood(span, services, Date.now()).map((query) => reader.find(query)))
    return linkingTo(
      span,
      found.flatMap(({ traces }) => traces),
    )
  })
  if (loading && value === undefined) return <p class="quiet">Looking for what links here …</p>
  if (problem !== undefined) return <Problem text={problem} />
  if (value === undefined || value.length === 0) return <p class="quiet">Nothing found that links here.</p>
  return (
    <p>
      Linked from{' '}
      {value.map((one) => (
        <TraceLink key={one.spanId} id={one.traceId} span={one.spanId}>
          {one.name} <small>{String(one.resource['mesh.node.name'] ?? one.service)}</small>
        </TraceLink>
      ))}
    </p>
  )
}
