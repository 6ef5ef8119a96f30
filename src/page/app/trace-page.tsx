import type { ComponentChildren } from 'preact'
import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import type { Trace, TraceSpan, Value } from '../../traces/trace.ts'
import type { MeshView } from '../mesh-view.ts'
import { clock, duration, hrefOf, plural } from '../model/text.ts'
import { extent, linkQueries, spansLinkingTo, visibleRows, type WaterfallRow, waterfall } from '../model/waterfall.ts'
import { reader, useLoaded } from './api.ts'
import { searchHref } from './last-search.ts'
import { Copy, Emitter, Partial, Problem, TraceLink } from './parts.tsx'

export interface TracePageProps {
  readonly view: MeshView
  readonly id: string
  /** Span id that the address names. */
  readonly selected: string | undefined
}

/** The trace of a window grows for a minute, and its spans take some seconds to arrive. */
const growingMs = 90_000
/** Poll interval of a trace that may still grow. */
const pollIntervalMs = 5_000

/** One trace. */
export function TracePage({ view, id, selected }: TracePageProps) {
  const pollMs = (trace: Trace | undefined) => (trace === undefined || isGrowing(trace) ? pollIntervalMs : undefined)
  const { value, problem, loading } = useLoaded<Trace | undefined>(id, () => reader.trace(id), pollMs)
  return (
    <section class="card">
      <h2>
        Trace <code class="id">{id}</code> <Copy text={id} what="trace id" />
      </h2>
      <p class="row">
        <a href={searchHref()}>Search</a>
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

interface WaterfallProps {
  readonly spans: readonly TraceSpan[]
  /** Services to search for spans that link here. */
  readonly services: readonly string[]
  readonly selected: string | undefined
}

interface Selection {
  /** Span id. */
  readonly open: string | undefined
  /** By a click, not by the address and not because it is the first. */
  readonly isUserOpened: boolean
}

/** Rows rendered at first; more take a browser long, so they open on request. Guess. */
const pageRows = 400

/** Spans as nested bars. Up and Down move, Left and Right collapse and expand, Enter shows a span. */
function Waterfall({ spans, services, selected }: WaterfallProps) {
  const rows = useMemo(() => waterfall(spans), [spans])
  const [closed, setClosed] = useState<ReadonlySet<string>>(() => new Set())
  const [{ open, isUserOpened }, setOpen] = useState<Selection>({
    open: selected ?? rows[0]?.span.spanId,
    isUserOpened: false,
  })
  const [maxRows, setMaxRows] = useState(pageRows)
  const list = useRef<HTMLOListElement>(null)
  useEffect(() => {
    if (selected === undefined) return
    setOpen({ open: selected, isUserOpened: false })
    list.current?.querySelector(`[data-span="${CSS.escape(selected)}"]`)?.scrollIntoView({ block: 'center' })
  }, [selected])
  const visible = visibleRows(rows, closed)
  const toggle = (id: string, close: boolean) =>
    setClosed((before) => (close ? new Set([...before, id]) : new Set([...before].filter((one) => one !== id))))
  const onKeyDown = (event: KeyboardEvent) => handleKey(event, toggle)
  return (
    <>
      <ol class="waterfall" ref={list} onKeyDown={onKeyDown} aria-label="Spans">
        {visible.slice(0, maxRows).map((row) => (
          <Row
            key={row.span.spanId}
            row={row}
            closed={closed.has(row.span.spanId)}
            open={open === row.span.spanId}
            isUserOpened={isUserOpened}
            services={services}
            onOpen={() => setOpen({ open: open === row.span.spanId ? undefined : row.span.spanId, isUserOpened: true })}
            onToggle={() => toggle(row.span.spanId, !closed.has(row.span.spanId))}
          />
        ))}
      </ol>
      {visible.length > maxRows && (
        <button type="button" onClick={() => setMaxRows(maxRows + pageRows)}>
          Show more ({visible.length - maxRows} left)
        </button>
      )}
    </>
  )
}

interface RowProps {
  readonly row: WaterfallRow
  readonly closed: boolean
  readonly open: boolean
  readonly isUserOpened: boolean
  readonly services: readonly string[]
  readonly onOpen: () => void
  readonly onToggle: () => void
}

function Row({ row, closed, open, isUserOpened, services, onOpen, onToggle }: RowProps) {
  const { span, depth, below, from, length, isOrphan } = row
  const barStyle = { marginLeft: `min(${from * 100}%, 100% - 3px)`, width: `max(3px, ${length * 100}%)` }
  return (
    <li class={open ? 'open' : ''}>
      <div class="span-line">
        <span class="span-head" style={{ paddingLeft: `${depth * 0.9}em` }}>
          {below > 0 ? (
            <button
              type="button"
              class="twist"
              onClick={onToggle}
              tabIndex={-1}
              aria-label={closed ? `Show ${below} below` : `Hide ${below} below`}
            >
              {closed ? '▸' : '▾'}
            </button>
          ) : (
            <i class="twist" />
          )}
          <button
            type="button"
            class={`span-name ${span.status === 'error' ? 'failed' : ''}`}
            data-span={span.spanId}
            data-closed={below > 0 ? closed : undefined}
            aria-expanded={open}
            onClick={onOpen}
          >
            <span>
              {span.name} {isOrphan && <small title="Its parent is not in this trace">orphan</small>}
              {closed && <small>+{below}</small>}
            </span>
            <small class="emitter">{String(span.resource['mesh.node.name'] ?? span.service)}</small>
          </button>
        </span>
        <span class="lane" aria-hidden="true">
          <span class={`bar ${span.status === 'error' ? 'failed' : ''}`} style={barStyle} />
        </span>
        <span class="took" title={row.isMarker ? 'after the trace began' : 'took'}>
          {row.isMarker ? `+${duration(row.afterMs)}` : duration(span.durationMs)}
        </span>
      </div>
      {open && <SpanDetails span={span} services={services} isUserOpened={isUserOpened} />}
    </li>
  )
}

function handleKey(event: KeyboardEvent, toggle: (id: string, close: boolean) => void): void {
  if (!(event.target instanceof HTMLElement) || event.target.dataset['span'] === undefined) return
  const { span, closed } = event.target.dataset
  const buttons = Array.from((event.currentTarget as HTMLElement).querySelectorAll<HTMLElement>('[data-span]'))
  const at = buttons.indexOf(event.target)
  const moves: Readonly<Record<string, number>> = {
    ArrowDown: at + 1,
    ArrowUp: at - 1,
    Home: 0,
    End: buttons.length - 1,
  }
  const to = moves[event.key]
  if (to !== undefined) buttons[to]?.focus()
  else if (event.key === 'ArrowLeft' && closed !== undefined) toggle(span, true)
  else if (event.key === 'ArrowRight' && closed !== undefined) toggle(span, false)
  else return
  event.preventDefault()
}

interface SpanDetailsProps {
  readonly span: TraceSpan
  /** Services to search for spans that link here. */
  readonly services: readonly string[]
  /** Whether the user opened it; a trace page opens one span by itself. */
  readonly isUserOpened: boolean
}

/** All attributes of a span, and the links to and from it. */
function SpanDetails({ span, services, isUserOpened }: SpanDetailsProps) {
  return (
    <div class="span-details">
      <p class="quiet">
        {clock(span.startMs, true)}, {duration(span.durationMs)}, span <code>{span.spanId}</code>{' '}
        <a href={hrefOf('traces', undefined, { service: span.service, span: span.name })}>more spans of this name</a>
      </p>
      <div class="pair">
        <AttributeTable title="Attributes" values={span.attributes} />
        <AttributeTable
          title={
            <>
              Emitted by <Emitter {...span} />
            </>
          }
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
  readonly title: ComponentChildren
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

interface LinkedFromProps {
  readonly span: TraceSpan
  readonly services: readonly string[]
  /** Whether the user opened this span. */
  readonly isUserOpened: boolean
}

/** Spans of other traces that link to this one. It takes many searches, so it runs on request only. */
function LinkedFrom({ span, services, isUserOpened }: LinkedFromProps) {
  const [isRequested, setRequested] = useState(isUserOpened)
  if (!isRequested) {
    return (
      <button type="button" class="small" onClick={() => setRequested(true)}>
        Find spans that link here
      </button>
    )
  }
  return <LinkedSpans span={span} services={services} />
}

function LinkedSpans({ span, services }: Omit<LinkedFromProps, 'isUserOpened'>) {
  const key = `${span.traceId} ${span.spanId}`
  const { value, problem, loading } = useLoaded(key, (isStale) => findLinkedSpans(span, services, isStale))
  if (loading && value === undefined) return <p class="quiet">Searching …</p>
  if (problem !== undefined) return <Problem text={problem} />
  return (
    <>
      {value === undefined || value.spans.length === 0 ? (
        <p class="quiet">No spans link here.</p>
      ) : (
        <p>
          Linked from{' '}
          {value.spans.map((one) => (
            <TraceLink key={`${one.traceId} ${one.spanId}`} id={one.traceId} span={one.spanId}>
              {one.name} <small>{String(one.resource['mesh.node.name'] ?? one.service)}</small>
            </TraceLink>
          ))}
        </p>
      )}
      <Partial text={value?.partial} />
    </>
  )
}

/** Queries `/api/v3` for candidates, one query after the other, and keeps the spans that link here. */
async function findLinkedSpans(span: TraceSpan, services: readonly string[], isStale: () => boolean) {
  const traces: Trace[] = []
  let partial: string | undefined
  for (const query of linkQueries(span, services, Date.now())) {
    if (isStale()) break
    const result = await reader.find(query)
    // Drop the rest at once: a query may return hundreds of traces.
    for (const { traceId, spans } of result.traces)
      traces.push({ traceId, spans: spansLinkingTo(span, [{ traceId, spans }]) })
    partial ??= result.partial
  }
  return { spans: spansLinkingTo(span, traces), partial }
}
