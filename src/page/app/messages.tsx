import { useState } from 'preact/hooks'
import type { MeshView, ViewSpan } from '../mesh-view.ts'
import { clock } from '../model/format.ts'
import { hrefOf } from '../model/route.ts'
import { TraceLink } from './parts.tsx'
import { PublishForm } from './publish-form.tsx'

/** What the nodes tell, and what they say to each other: newest first. */
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
  const matches = view.spans.filter(({ node, span, detail }) => `${node} ${span} ${detail}`.includes(filter.trim()))
  return (
    <section class="card" aria-labelledby="tells">
      <div class="row">
        <h2 id="tells">Telling spans</h2>
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
      {matches.length === 0 ? <p class="quiet">Nothing yet.</p> : <SpanRows spans={matches} view={view} />}
    </section>
  )
}

function NoSpans({ view }: { readonly view: MeshView }) {
  return (
    <section class="card" aria-labelledby="tells">
      <h2 id="tells">Telling spans</h2>
      <p class="quiet">
        An observer has none: what other nodes tell goes to the trace store.{' '}
        {view.traces && <a href={hrefOf('traces')}>Search there</a>}
      </p>
    </section>
  )
}

function MessageList({ view }: { readonly view: MeshView }) {
  const isLab = view.from === 'lab'
  const emptyText = isLab
    ? 'Nobody has said anything yet.'
    : 'None has come on the topics that it listens to (MESH_TOPICS).'
  return (
    <section class="card" aria-labelledby="said">
      <h2 id="said">Messages</h2>
      {isLab && <PublishForm view={view} />}
      <p class="quiet">
        {isLab
          ? 'Who heard it is told by spans, which are sampled: one per second and node.'
          : 'Those that this node has sent and heard.'}
      </p>
      {view.messages.length === 0 && <p class="quiet">{emptyText}</p>}
      <ol class="said">
        {view.messages.toReversed().map(({ atMs, node, id, text }, index) => (
          <li key={`${atMs} ${node} ${view.messages.length - index}`}>
            <time>{clock(atMs)}</time> <a href={hrefOf('nodes', id ?? node)}>{node}</a> {text}
          </li>
        ))}
      </ol>
    </section>
  )
}

function SpanRows({ spans, view }: { readonly spans: readonly ViewSpan[]; readonly view: MeshView }) {
  return (
    <div class="scroll">
      <table>
        <caption class="unseen">Telling spans</caption>
        <thead>
          <tr>
            <th scope="col">At</th>
            <th scope="col">Node</th>
            <th scope="col">Span</th>
            <th scope="col" class="wide">
              Detail
            </th>
            <th scope="col">Trace</th>
          </tr>
        </thead>
        <tbody>
          {spans.toReversed().map(({ atMs, node, span, detail, trace }, index) => (
            <tr key={`${atMs} ${node} ${span} ${spans.length - index}`}>
              <td>{clock(atMs)}</td>
              <td>
                <a href={hrefOf('nodes', node)}>{node}</a>
              </td>
              <td>{span}</td>
              <td class="wide detail">{detail}</td>
              <td>{trace === '' ? '' : view.traces ? <TraceLink id={trace} /> : <code>{trace.slice(0, 8)}</code>}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}
