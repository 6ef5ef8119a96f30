import { useState } from 'preact/hooks'
import type { MeshView, ViewTell } from '../mesh-view.ts'
import { clock } from '../model/format.ts'
import { hrefOf } from '../model/route.ts'
import { TraceLink } from './parts.tsx'

/** What the nodes tell, and what they say to each other: newest first. */
export function Messages({ view }: { readonly view: MeshView }) {
  const [filter, setFilter] = useState('')
  const wanted = view.tells.filter(({ node, span, detail }) => `${node} ${span} ${detail}`.includes(filter.trim()))
  return (
    <div class="columns uneven">
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
        {wanted.length === 0 ? <p class="quiet">Nothing yet.</p> : <Tells tells={wanted} view={view} />}
      </section>
      <section class="card" aria-labelledby="said">
        <h2 id="said">Messages</h2>
        {view.messages.length === 0 && <p class="quiet">Nobody has said anything yet.</p>}
        <ol class="said">
          {view.messages.toReversed().map(({ atMs, node, text }, index) => (
            <li key={`${atMs} ${node} ${view.messages.length - index}`}>
              <time>{clock(atMs)}</time> <a href={hrefOf('nodes', node)}>{node}</a> {text}
            </li>
          ))}
        </ol>
      </section>
    </div>
  )
}

function Tells({ tells, view }: { readonly tells: readonly ViewTell[]; readonly view: MeshView }) {
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
          {tells.toReversed().map(({ atMs, node, span, detail, trace }, index) => (
            <tr key={`${atMs} ${node} ${span} ${tells.length - index}`}>
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
