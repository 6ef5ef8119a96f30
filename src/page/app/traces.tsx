import type { MeshView } from '../mesh-view.ts'
import { parseAttributes } from '../model/attributes.ts'
import { reader } from './api.ts'
import { Problem } from './parts.tsx'
import { TraceForm } from './trace-form.tsx'
import { TraceList } from './trace-list.tsx'
import { useLoaded } from './use-loaded.ts'

/** The search as the address states it. */
type SearchQuery = Readonly<Record<string, string>> & typeof defaults & { readonly service: string }

interface TracesProps {
  readonly view: MeshView
  readonly params: Readonly<Record<string, string>>
}

const defaults = { back: '15', limit: '20' }

/** Trace search and its results. The query is in the address. */
export function Traces({ view, params }: TracesProps) {
  const services = useLoaded(view.traces ? 'services' : undefined, () => reader.services())
  const query: SearchQuery = { ...defaults, service: services.value?.[0] ?? '', ...params }
  const { attributes, problem: syntaxProblem } = parseAttributes(query['attributes'] ?? '')
  const isReady = view.traces && query.service !== '' && syntaxProblem === undefined
  const { value, problem, loading } = useLoaded(isReady ? JSON.stringify(query) : undefined, () => {
    const toMs = Date.now() + 5_000
    const fromMs = toMs - Number(query.back) * 60_000
    const span = query['span'] === undefined || query['span'] === '' ? {} : { span: query['span'] }
    return reader.find({ service: query.service, fromMs, toMs, attributes, limit: Number(query.limit), ...span })
  })
  if (!view.traces) {
    return (
      <section class="card">
        <p>No trace store is configured: set MESH_QUERY (--query) of the observer.</p>
      </section>
    )
  }
  return (
    <>
      <TraceForm services={services.value ?? []} query={query} address={JSON.stringify(params)} />
      <section class="card" aria-busy={loading}>
        <Problem text={services.problem ?? syntaxProblem ?? problem} />
        {value === undefined && loading && <p class="quiet">Searching …</p>}
        {value?.partial !== undefined && <p class="quiet">{value.partial}</p>}
        {value !== undefined && <TraceList traces={value.traces} />}
      </section>
    </>
  )
}
