import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import type { TraceSpan } from '../../traces/trace.ts'
import { duration } from '../model/format.ts'
import { visibleRows, type WaterfallRow, waterfall } from '../model/waterfall.ts'
import { SpanDetails } from './span-details.tsx'

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
export function Waterfall({ spans, services, selected }: WaterfallProps) {
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
        <span class="took" title={span.durationMs === 0 ? 'after the trace began' : 'took'}>
          {span.durationMs === 0 ? `+${duration(row.afterMs)}` : duration(span.durationMs)}
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
