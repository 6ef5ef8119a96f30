import type { Trace } from '../../traces/trace.ts'
import type { ViewNode } from '../mesh-view.ts'
import { clock, plural } from '../model/format.ts'
import { hrefOf } from '../model/route.ts'
import { reader } from './ask.ts'
import { Problem, TraceLink } from './parts.tsx'
import { useLoaded } from './use-loaded.ts'

const lookBackMs = 10 * 60_000
const everyMs = 10_000
const shownWindows = 5

/** The minutes that a node has told lately: each is one trace. */
export function LastMinute({ node }: { readonly node: ViewNode }) {
  const service = node.meshes[0]
  const { value, problem, loading } = useLoaded(
    service === undefined ? undefined : `${service} ${node.name}`,
    () => windows(service ?? '', node.name),
    everyMs,
  )
  const search = { service: service ?? '', attributes: `mesh.node.name=${node.name}` }
  return (
    <section class="card" aria-labelledby="minutes">
      <h2 id="minutes">Last minutes</h2>
      <Problem text={problem} />
      {value === undefined && loading && <p class="quiet">Searching …</p>}
      {value?.length === 0 && <p class="quiet">No minute of this node was told in the last ten.</p>}
      <ul class="windows">
        {value?.map((trace) => (
          <li key={trace.traceId}>
            <TraceLink id={trace.traceId}>{clock(trace.spans[0]?.startMs ?? 0)}</TraceLink>{' '}
            <small>{plural(trace.spans.length, 'span')}</small>
            <Names trace={trace} />
          </li>
        ))}
      </ul>
      <a href={hrefOf('traces', undefined, search)}>All traces of this node</a>
    </section>
  )
}

/** How many spans of each name, the most frequent first. */
function Names({ trace }: { readonly trace: Trace }) {
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

async function windows(service: string, name: string): Promise<readonly Trace[]> {
  const toMs = Date.now() + 5_000
  const attributes = { 'mesh.node.name': name }
  const query = { service, span: 'mesh.window', fromMs: toMs - lookBackMs, toMs, attributes, limit: shownWindows }
  const { traces } = await reader.find(query)
  return [...traces].sort((a, b) => (b.spans[0]?.startMs ?? 0) - (a.spans[0]?.startMs ?? 0)).slice(0, shownWindows)
}
