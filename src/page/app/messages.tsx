import { useState } from 'preact/hooks'
import type { MeshView, ViewMessage, ViewSpan } from '../mesh-view.ts'
import { contentKeys } from '../model/keys.ts'
import { clock, hrefOf } from '../model/text.ts'
import { PublishForm } from './controls.tsx'
import { useHeld } from './held.ts'
import { type Column, Table, TraceLink } from './parts.tsx'

/** Live spans and messages, newest first. */
export function Messages({ view }: { readonly view: MeshView }) {
  return (
    <div class="columns uneven">
      {view.from === 'lab' ? <LiveSpans view={view} /> : <NoSpans view={view} />}
      <MessageList view={view} />
    </div>
  )
}

function LiveSpans({ view }: { readonly view: MeshView }) {
  const [filter, setFilter] = useState('')
  const { shown, isHeld, props } = useHeld(view.spans)
  const matches = shown.filter(({ node, span, detail }) => `${node} ${span} ${detail}`.includes(filter.trim()))
  return (
    <section class="card" aria-labelledby="live-spans">
      <div class="row">
        <h2 id="live-spans">
          Live spans <Paused isHeld={isHeld} />
        </h2>
        <label class="grow">
          <span class="unseen">Filter</span>
          <input
            type="search"
            placeholder="filter by node, span or detail"
            value={filter}
            onInput={({ currentTarget }) => setFilter(currentTarget.value)}
          />
        </label>
      </div>
      <div {...props}>
        {matches.length === 0 ? (
          <p class="quiet">{shown.length === 0 ? 'No spans yet.' : 'No span matches the filter.'}</p>
        ) : (
          <SpanRows spans={matches} view={view} />
        )}
      </div>
    </section>
  )
}

function Paused({ isHeld }: { readonly isHeld: boolean }) {
  return isHeld ? <small title="It goes on once neither the pointer nor the focus is in the list">paused</small> : null
}

function NoSpans({ view }: { readonly view: MeshView }) {
  return (
    <section class="card" aria-labelledby="live-spans">
      <h2 id="live-spans">Live spans</h2>
      <p class="quiet">
        An observer has no live spans: other nodes export theirs to the trace store.{' '}
        {view.traces && <a href={hrefOf('traces')}>Search there</a>}
      </p>
    </section>
  )
}

function MessageList({ view }: { readonly view: MeshView }) {
  const isLab = view.from === 'lab'
  const emptyText = isLab ? 'No messages yet.' : 'No messages yet on the topics this node subscribes to (MESH_TOPICS).'
  const { shown, isHeld, props } = useHeld(view.messages)
  return (
    <section class="card" aria-labelledby="messages">
      <h2 id="messages">
        Messages <Paused isHeld={isHeld} />
      </h2>
      {isLab && <PublishForm view={view} />}
      <p class="quiet">
        {isLab
          ? 'Deliveries come from spans, which are sampled: one per second and node.'
          : 'Messages that this node published or received.'}
      </p>
      {shown.length === 0 && <p class="quiet">{emptyText}</p>}
      <ol class="messages" {...props}>
        {messageRows(shown).map(({ key, atMs, node, id, text }) => (
          <li key={key}>
            <time>{clock(atMs)}</time> <a href={hrefOf('nodes', id ?? node)}>{node}</a> {text}
          </li>
        ))}
      </ol>
    </section>
  )
}

/** Newest first. */
function messageRows(messages: readonly ViewMessage[]): readonly (ViewMessage & { readonly key: string })[] {
  const keys = contentKeys(messages, ({ atMs, node, text }) => `${atMs} ${node} ${text}`)
  return messages.map((message, index) => ({ ...message, key: keys[index] ?? '' })).toReversed()
}

function SpanRows({ spans, view }: { readonly spans: readonly ViewSpan[]; readonly view: MeshView }) {
  const columns: readonly Column<ViewSpan>[] = [
    { title: 'At', cell: ({ atMs }) => clock(atMs) },
    { title: 'Node', cell: ({ node }) => <a href={hrefOf('nodes', node)}>{node}</a> },
    { title: 'Span', cell: ({ span }) => span },
    { title: 'Detail', cell: ({ detail }) => <span class="detail">{detail}</span>, wide: true },
    {
      title: 'Trace',
      cell: ({ trace }) => trace !== '' && (view.traces ? <TraceLink id={trace} /> : <code>{trace.slice(0, 8)}</code>),
    },
  ]
  const newestFirst = spans.toReversed()
  const keys = contentKeys(spans, ({ atMs, node, span, detail }) => `${atMs} ${node} ${span} ${detail}`).toReversed()
  const keyOf = (_: ViewSpan, index: number) => keys[index] ?? ''
  return <Table caption="Live spans" isCaptionHidden columns={columns} rows={newestFirst} keyOf={keyOf} />
}
