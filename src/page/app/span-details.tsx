import type { TraceSpan, Value } from '../../traces/trace.ts'
import { clock, duration } from '../model/format.ts'
import { hrefOf } from '../model/route.ts'
import { TraceLink } from './parts.tsx'
import { LinkedFrom } from './span-links.tsx'

interface SpanDetailsProps {
  readonly span: TraceSpan
  /** Services to search for spans that link here. */
  readonly services: readonly string[]
  /** Whether the user opened it; a trace page opens one span by itself. */
  readonly isUserOpened: boolean
}

/** All attributes of a span, and the links to and from it. */
export function SpanDetails({ span, services, isUserOpened }: SpanDetailsProps) {
  return (
    <div class="span-details">
      <p class="quiet">
        {clock(span.startMs, true)}, {duration(span.durationMs)}, span <code>{span.spanId}</code>{' '}
        <a href={hrefOf('traces', undefined, { service: span.service, span: span.name })}>more spans of this name</a>
      </p>
      <div class="pair">
        <AttributeTable title="Attributes" values={span.attributes} />
        <AttributeTable
          title={`Emitted by ${String(span.resource['mesh.node.name'] ?? span.service)}`}
          values={span.resource}
        />
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
      <LinkedFrom span={span} services={services} isUserOpened={isUserOpened} />
    </div>
  )
}

function AttributeTable({
  title,
  values,
}: {
  readonly title: string
  readonly values: Readonly<Record<string, Value>>
}) {
  const entries = Object.entries(values)
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
