import { useLayoutEffect, useState } from 'preact/hooks'
import type { Trace } from '../../traces/trace.ts'
import type { MeshView } from '../mesh-view.ts'
import { clock, duration, hrefOf, parseAttributes, plural } from '../model/text.ts'
import { extent, waterfall } from '../model/waterfall.ts'
import { reader, useLoaded } from './api.ts'
import { type Column, Problem, Select, Table, TraceLink } from './parts.tsx'

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

type Fields = Readonly<Record<string, string>>

interface TraceFormProps {
  readonly services: readonly string[]
  readonly query: Fields
  /** A new address discards unsubmitted edits. */
  readonly address: string
}

const lookbacks: readonly (readonly [minutes: string, text: string])[] = [
  ['5', '5 minutes'],
  ['15', '15 minutes'],
  ['60', 'an hour'],
  ['360', '6 hours'],
  ['1440', 'a day'],
  ['10080', 'a week'],
]

/** The current query with unsubmitted edits on top: the page renders every second and must not undo them. */
function TraceForm({ services, query, address }: TraceFormProps) {
  const [edits, setEdits] = useState<Fields>({})
  useLayoutEffect(() => setEdits({}), [address])
  const fields: Fields = { ...query, ...edits }
  const { service = '', span = '', attributes = '', back = '', limit = '' } = fields
  const names = useLoaded(service === '' ? undefined : service, () => reader.operations(service))
  const edit = ({ currentTarget: { name, value } }: { readonly currentTarget: HTMLInputElement | HTMLSelectElement }) =>
    setEdits((before) => ({ ...before, [name]: value }))
  const submit = (event: SubmitEvent) => {
    event.preventDefault()
    // The timestamp repeats an unchanged query: its results may be newer.
    const params = { service, span, attributes: attributes.trim(), back, limit, at: String(Date.now()) }
    location.hash = hrefOf('traces', undefined, params)
  }
  return (
    <form class="card row" onSubmit={submit} aria-label="Search traces">
      <Select label="Service" name="service" options={optionsWith(services, service)} value={service} onChange={edit} />
      <Select
        label="Span"
        name="span"
        options={[['', 'any'], ...optionsWith(names.value ?? [], span).sort()]}
        value={span}
        onChange={edit}
      />
      <label class="grow">
        Attributes
        <input
          name="attributes"
          value={attributes}
          onInput={edit}
          placeholder="mesh.node.name=seed-a1 mesh.dial.stage=dial"
          spellcheck={false}
          autocomplete="off"
          autocapitalize="off"
        />
      </label>
      <Select label="Within" name="back" options={lookbacks} value={back} onChange={edit} />
      <Select label="At most" name="limit" options={['20', '50', '100', '200']} value={limit} onChange={edit} />
      <button type="submit">Search</button>
    </form>
  )
}

/** All options, plus the selected one if it is not among them. */
function optionsWith(all: readonly string[], selected: string): string[] {
  return [...new Set([...all, ...(selected === '' ? [] : [selected])])]
}

const traceColumns: readonly Column<Trace>[] = [
  { title: 'Trace', cell: ({ traceId }) => <TraceLink id={traceId} /> },
  { title: 'Root span', cell: ({ spans }) => <RootSpan spans={spans} /> },
  { title: 'Emitted by', cell: ({ spans }) => emittersOf(spans) },
  { title: 'At', cell: ({ spans }) => clock(extent(spans).startMs) },
  { title: 'Took', cell: ({ spans }) => duration(extent(spans).durationMs), number: true, wide: true },
  { title: 'Spans', cell: ({ spans }) => spans.length, number: true },
]

/** Traces, newest first. */
function TraceList({ traces }: { readonly traces: readonly Trace[] }) {
  if (traces.length === 0) return <p class="quiet">No traces found. Search further back, or remove a filter.</p>
  const newestFirst = [...traces].sort((a, b) => extent(b.spans).startMs - extent(a.spans).startMs)
  const caption = plural(traces.length, 'trace')
  return <Table caption={caption} columns={traceColumns} rows={newestFirst} keyOf={({ traceId }) => traceId} />
}

function RootSpan({ spans }: Pick<Trace, 'spans'>) {
  const failed = spans.filter(({ status }) => status === 'error').length
  return (
    <>
      {waterfall(spans)[0]?.span.name ?? ''} {failed > 0 && <span class="failed">{plural(failed, 'error')}</span>}
    </>
  )
}

function emittersOf(spans: Trace['spans']): string {
  const emitters = [...new Set(spans.map(({ resource, service }) => String(resource['mesh.node.name'] ?? service)))]
  return emitters.slice(0, 3).join(', ') + (emitters.length > 3 ? ` and ${emitters.length - 3} more` : '')
}
