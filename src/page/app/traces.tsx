import { useEffect, useLayoutEffect, useState } from 'preact/hooks'
import { matcherOf, type Query } from '../../traces/find-traces.ts'
import type { Trace, TraceSpan } from '../../traces/trace.ts'
import type { MeshView } from '../mesh-view.ts'
import { notableAttributes, rootOf } from '../model/results.ts'
import { clock, duration, hrefOf, parseAttributes, parseTraceId, plural } from '../model/text.ts'
import { reader, useLoaded } from './api.ts'
import { rememberSearch } from './last-search.ts'
import { type Column, lookbacks, NoStore, Problem, Select, Table, TraceLink } from './parts.tsx'

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
  const { value, problem, loading } = useLoaded(isReady ? JSON.stringify(query) : undefined, async () => {
    const toMs = Date.now() + 5_000
    const fromMs = toMs - Number(query.back) * 60_000
    const span = query['span'] === undefined || query['span'] === '' ? {} : { span: query['span'] }
    const search: Query = { service: query.service, fromMs, toMs, attributes, limit: Number(query.limit), ...span }
    const { traces, partial } = await reader.find(search)
    return { results: traces.map((trace) => resultOf(trace, search)), partial }
  })
  useEffect(() => rememberSearch(params), [JSON.stringify(params)])
  if (!view.traces) return <NoStore />
  return (
    <>
      <OpenForm />
      <TraceForm services={services.value ?? []} query={query} address={JSON.stringify(params)} />
      <section class="card" aria-busy={loading}>
        <Problem text={services.problem ?? syntaxProblem ?? problem} />
        {value === undefined && loading && <p class="quiet">Searching …</p>}
        {value?.partial !== undefined && <p class="quiet">{value.partial}</p>}
        {value !== undefined && <ResultList results={value.results} />}
      </section>
    </>
  )
}

/** Opens a trace by its id. */
function OpenForm() {
  const [text, setText] = useState('')
  const [problem, setProblem] = useState<string | undefined>(undefined)
  const submit = (event: SubmitEvent) => {
    event.preventDefault()
    const parsed = parseTraceId(text)
    if ('problem' in parsed) return setProblem(parsed.problem)
    location.hash = hrefOf('traces', parsed.id)
  }
  return (
    <form class="card row" onSubmit={submit} aria-label="Open a trace">
      <label class="grow">
        Trace id
        <input
          name="trace"
          value={text}
          onInput={({ currentTarget: { value } }) => setText(value)}
          placeholder="all 32 digits, or the first 8"
          spellcheck={false}
          autocomplete="off"
          autocapitalize="off"
        />
      </label>
      <button type="submit">Open</button>
      <Problem text={problem} />
    </form>
  )
}

type Fields = Readonly<Record<string, string>>

interface TraceFormProps {
  readonly services: readonly string[]
  readonly query: Fields
  /** A new address discards unsubmitted edits. */
  readonly address: string
}

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

/** A trace that was found, and the span to show of it. */
interface Result {
  readonly trace: Trace
  /** The first that matches the search; the root of a search for any span. */
  readonly span: TraceSpan
  /** Spans that match besides it; 0 for any span. */
  readonly others: number
  readonly attributes: string
}

function resultOf(trace: Trace, query: Query): Result {
  const keys = Object.keys(query.attributes ?? {})
  const isForAny = query.span === undefined && keys.length === 0
  const [first, ...others] = isForAny ? [] : trace.spans.filter(matcherOf(query))
  const span = first ?? rootOf(trace)
  return { trace, span, others: others.length, attributes: notableAttributes(span, keys) }
}

const resultColumns: readonly Column<Result>[] = [
  { title: 'Trace', cell: ({ trace, span }) => <TraceLink id={trace.traceId} span={span.spanId} /> },
  { title: 'Span', cell: (result) => <FoundSpan {...result} /> },
  { title: 'Emitted by', cell: ({ span }) => String(span.resource['mesh.node.name'] ?? span.service) },
  { title: 'At', cell: ({ span }) => clock(span.startMs, true) },
  { title: 'Took', cell: ({ span }) => duration(span.durationMs), number: true, wide: true },
  { title: 'Attributes', cell: ({ attributes }) => <code>{attributes}</code>, wide: true },
  { title: 'Spans', cell: ({ trace }) => trace.spans.length, number: true },
]

/** Newest first. */
function ResultList({ results }: { readonly results: readonly Result[] }) {
  if (results.length === 0) return <p class="quiet">No traces found. Search further back, or remove a filter.</p>
  const newestFirst = [...results].sort((a, b) => b.span.startMs - a.span.startMs)
  const caption = plural(results.length, 'trace')
  return <Table caption={caption} columns={resultColumns} rows={newestFirst} keyOf={({ trace }) => trace.traceId} />
}

function FoundSpan({ trace, span, others }: Result) {
  const failed = trace.spans.filter(({ status }) => status === 'error').length
  return (
    <>
      {span.name} {others > 0 && <small>and {others} more </small>}
      {failed > 0 && <span class="failed">{plural(failed, 'error')}</span>}
    </>
  )
}
