import type { FindResult } from '../../traces/reader.ts'
import type { Trace } from '../../traces/trace.ts'
import type { ViewNode } from '../mesh-view.ts'
import { attributesText } from '../model/attributes.ts'
import { clock, plural } from '../model/format.ts'
import { hrefOf } from '../model/route.ts'
import { reader } from './api.ts'
import { Partial, Problem, TraceLink } from './parts.tsx'
import { useLoaded } from './use-loaded.ts'

const lookbackMs = 5 * 60_000
/** More than a node can begin in that time without a restart. */
const maxWindows = 10
const pollMs = 10_000

/** The latest windows of a node, one trace each. Searches by peer id, since nodes may share a name. */
export function LastMinute({ node }: { readonly node: ViewNode }) {
  const service = node.meshes[0]
  const attributes = { 'mesh.peer.self': node.id }
  const { value, problem, loading } = useLoaded(
    service === undefined ? undefined : `${service} ${node.id}`,
    () => findWindows(service ?? '', attributes),
    () => pollMs,
  )
  const search = { service: service ?? '', attributes: attributesText(attributes) }
  return (
    <section class="card" aria-labelledby="minutes">
      <h2 id="minutes">Last minutes</h2>
      <Problem text={problem} />
      {value === undefined && loading && <p class="quiet">Searching …</p>}
      {value?.traces.length === 0 && (
        <p class="quiet">The store has no spans of this node from the last five minutes.</p>
      )}
      <ul class="windows">
        {value?.traces.map((trace) => (
          <li key={trace.traceId}>
            <TraceLink id={trace.traceId}>{clock(trace.spans[0]?.startMs ?? 0)}</TraceLink>{' '}
            <small>{plural(trace.spans.length, 'span')}</small>
            <SpanCounts trace={trace} />
          </li>
        ))}
      </ul>
      <Partial text={value?.partial} />
      <a href={hrefOf('traces', undefined, search)}>All traces of this node</a>
    </section>
  )
}

/** Counts of spans by name, most frequent first. */
function SpanCounts({ trace }: { readonly trace: Trace }) {
  const counts = [...Map.groupBy(trace.spans, ({ name }) => name)].sort(([, a], [, b]) => b.length - a.length)
  return (
    <span class="chips">
      {counts.slice(0, 8).map(([name, spans]) => (
        <code key={name}>
          {name.replace(/^mesh\./, '')} ×{spans.length}
        </code>
      ))}
    </span>
  )
}

/** Newest first. Windows are routine spans: where sampling dropped all of them, the census identifies the trace. */
async function findWindows(service: string, attributes: Readonly<Record<string, string>>): Promise<FindResult> {
  const toMs = Date.now() + 5_000
  const query = { service, fromMs: toMs - lookbackMs, toMs, attributes, limit: maxWindows }
  const windows = await reader.find({ ...query, span: 'mesh.window' })
  const { traces, partial } = windows.traces.length > 0 ? windows : await reader.find({ ...query, span: 'mesh.audit' })
  return { traces: [...traces].sort((a, b) => (b.spans[0]?.startMs ?? 0) - (a.spans[0]?.startMs ?? 0)), partial }
}
