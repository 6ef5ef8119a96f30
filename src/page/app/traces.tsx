import type { MeshView } from '../mesh-view.ts'
import { parseAttributes } from '../model/attributes.ts'
import { reader } from './ask.ts'
import { Problem } from './parts.tsx'
import { TraceForm } from './trace-form.tsx'
import { TraceList } from './trace-list.tsx'
import { useLoaded } from './use-loaded.ts'

/** As the address has it. */
type Question = Readonly<Record<string, string>> & typeof defaults & { readonly service: string }

interface TracesProps {
  readonly view: MeshView
  readonly params: Readonly<Record<string, string>>
}

const defaults = { back: '15', limit: '20' }

/** A pocket Jaeger: search, and the traces that were found. The question is in the address. */
export function Traces({ view, params }: TracesProps) {
  const services = useLoaded(view.traces ? 'services' : undefined, () => reader.services())
  const asked: Question = { ...defaults, service: services.value?.[0] ?? '', ...params }
  const { attributes, problem: misspelt } = parseAttributes(asked['attributes'] ?? '')
  const ready = view.traces && asked.service !== '' && misspelt === undefined
  const { value, problem, loading } = useLoaded(ready ? JSON.stringify(asked) : undefined, () => {
    const toMs = Date.now() + 5_000
    const fromMs = toMs - Number(asked.back) * 60_000
    const span = asked['span'] === undefined || asked['span'] === '' ? {} : { span: asked['span'] }
    return reader.find({ service: asked.service, fromMs, toMs, attributes, limit: Number(asked.limit), ...span })
  })
  if (!view.traces) {
    return (
      <section class="card">
        <p>No trace store is known here: an observer takes one from MESH_QUERY (--query).</p>
      </section>
    )
  }
  return (
    <>
      <TraceForm services={services.value ?? []} asked={asked} address={JSON.stringify(params)} />
      <section class="card" aria-busy={loading}>
        <Problem text={services.problem ?? misspelt ?? problem} />
        {value === undefined && loading && <p class="quiet">Searching …</p>}
        {value?.partial !== undefined && <p class="quiet">{value.partial}</p>}
        {value !== undefined && <TraceList traces={value.traces} />}
      </section>
    </>
  )
}
