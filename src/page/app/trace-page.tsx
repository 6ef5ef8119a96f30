import type { Trace } from '../../traces/trace.ts'
import type { MeshView } from '../mesh-view.ts'
import { clock, duration, plural } from '../model/format.ts'
import { hrefOf } from '../model/route.ts'
import { extent } from '../model/waterfall.ts'
import { reader } from './api.ts'
import { Copy, Problem } from './parts.tsx'
import { useLoaded } from './use-loaded.ts'
import { Waterfall } from './waterfall.tsx'

interface TracePageProps {
  readonly view: MeshView
  readonly id: string
  /** Span id that the address names. */
  readonly selected: string | undefined
}

/** The trace of a window grows for a minute, and its spans take some seconds to arrive. */
const growingMs = 90_000
/** Poll interval of a trace that may still grow. */
const pollIntervalMs = 5_000

/** One trace, by the id in the address. */
export function TracePage({ view, id, selected }: TracePageProps) {
  const pollMs = (trace: Trace | undefined) => (trace === undefined || isGrowing(trace) ? pollIntervalMs : undefined)
  const { value, problem, loading } = useLoaded<Trace | undefined>(id, () => reader.trace(id), pollMs)
  return (
    <section class="card">
      <h2>
        Trace <code class="id">{id}</code> <Copy text={id} what="trace id" />
      </h2>
      <p class="row">
        <a href={hrefOf('traces')}>Search</a>
        {view.jaegerUrl !== undefined && (
          <a href={`${view.jaegerUrl}/trace/${encodeURIComponent(id)}`} rel="noreferrer">
            Open in Jaeger
          </a>
        )}
      </p>
      <Problem text={problem} />
      {value === undefined && loading && <p class="quiet">Loading …</p>}
      {value === undefined && !loading && problem === undefined && (
        <p>The store has no such trace: it has not arrived yet, or the store has dropped it.</p>
      )}
      {value !== undefined && <TraceView trace={value} view={view} selected={selected} />}
    </section>
  )
}

function isGrowing({ spans }: Trace): boolean {
  const { startMs, durationMs } = extent(spans)
  return Date.now() - startMs - durationMs < growingMs
}

interface TraceViewProps {
  readonly trace: Trace
  readonly view: MeshView
  readonly selected: string | undefined
}

function TraceView({ trace, view, selected }: TraceViewProps) {
  const { startMs, durationMs } = extent(trace.spans)
  const services = [...new Set([...trace.spans.map(({ service }) => service), ...view.nodes.flatMap((n) => n.meshes)])]
  return (
    <>
      <p class="quiet">
        {clock(startMs, true)}, {duration(durationMs)}, {plural(trace.spans.length, 'span')}
        {trace.unreadable !== undefined && `; ${plural(trace.unreadable, 'span')} could not be read`}
      </p>
      <Waterfall key={trace.traceId} spans={trace.spans} services={services} selected={selected} />
    </>
  )
}
