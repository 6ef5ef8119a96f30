import type { TraceSpan, Value } from '../../traces/trace.ts'
import { clock, duration } from '../model/format.ts'
import { hrefOf } from '../model/route.ts'
import { TraceLink } from './parts.tsx'
import { LinkedFrom } from './span-links.tsx'

interface SpanDetailsProps {
  readonly span: TraceSpan
  /** Where spans that link here are looked for. */
  readonly services: readonly string[]
  /** Whether somebody opened it; the trace itself shows one at first. */
  readonly isUserOpened: boolean
}

/** Everything a span carries, and the links to and from it. */
export function SpanDetails({ span, services, isUserOpened }: SpanDetailsProps) {
  return (
    <div class="span-details">
      <p class="quiet">
        {clock(span.startMs, true)}, {duration(span.durationMs)}, span <code>{span.spanId}</code>{' '}
        <a href={hrefOf('traces', undefined, { service: span.service, span: span.name })}>others of this name</a>
      </p>
      <div class="pair">
        <AttributeTable title="Attributes" attributes={span.attributes} />
        <AttributeTable
          title={`Told by ${String(span.resource['mesh.node.name'] ?? span.service)}`}
          attributes={span.resource}
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
  attributes,
}: {
  readonly title: string
  readonly attributes: Readonly<Record<string, Value>>
}) {
  const entries = Object.entries(attributes)
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
