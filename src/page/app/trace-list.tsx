import type { Trace } from '../../traces/trace.ts'
import { clock, duration, plural } from '../model/format.ts'
import { extent, waterfall } from '../model/waterfall.ts'
import { TraceLink } from './parts.tsx'

/** Traces, newest first. */
export function TraceList({ traces }: { readonly traces: readonly Trace[] }) {
  if (traces.length === 0) return <p class="quiet">No traces found. Search further back, or remove a filter.</p>
  const newestFirst = [...traces].sort((a, b) => extent(b.spans).startMs - extent(a.spans).startMs)
  return (
    <div class="scroll">
      <table>
        <caption>{plural(traces.length, 'trace')}</caption>
        <thead>
          <tr>
            <th scope="col">Trace</th>
            <th scope="col">Root span</th>
            <th scope="col">Emitted by</th>
            <th scope="col">At</th>
            <th scope="col" class="number wide">
              Took
            </th>
            <th scope="col" class="number">
              Spans
            </th>
          </tr>
        </thead>
        <tbody>
          {newestFirst.map((trace) => (
            <TraceRow key={trace.traceId} trace={trace} />
          ))}
        </tbody>
      </table>
    </div>
  )
}

function TraceRow({ trace: { traceId, spans } }: { readonly trace: Trace }) {
  const root = waterfall(spans)[0]?.span
  const { startMs, durationMs } = extent(spans)
  const emitters = [...new Set(spans.map(({ resource, service }) => String(resource['mesh.node.name'] ?? service)))]
  const failed = spans.filter(({ status }) => status === 'error').length
  return (
    <tr>
      <th scope="row">
        <TraceLink id={traceId} />
      </th>
      <td>
        {root?.name ?? ''} {failed > 0 && <span class="failed">{plural(failed, 'error')}</span>}
      </td>
      <td>{emitters.slice(0, 3).join(', ') + (emitters.length > 3 ? ` and ${emitters.length - 3} more` : '')}</td>
      <td>{clock(startMs)}</td>
      <td class="number wide">{duration(durationMs)}</td>
      <td class="number">{spans.length}</td>
    </tr>
  )
}
