import type { ComponentChildren } from 'preact'
import { resolveTraceId } from '../../traces/resolve-trace-id.ts'
import type { MeshView } from '../mesh-view.ts'
import { isWholeTraceId, parseTraceId } from '../model/text.ts'
import { reader, useLoaded } from './api.ts'
import { searchHref } from './last-search.ts'
import { Partial, Problem, TraceLink } from './parts.tsx'
import { TracePage, type TracePageProps } from './trace-page.tsx'

/** One trace, by the id in the address or its first digits. */
export function OpenTrace({ view, id, selected }: TracePageProps) {
  const parsed = parseTraceId(id)
  if ('problem' in parsed) {
    return (
      <TraceCard id={id}>
        <Problem text={parsed.problem} />
      </TraceCard>
    )
  }
  if (!isWholeTraceId(parsed.id)) return <TraceByPrefix view={view} prefix={parsed.id} selected={selected} />
  return <TracePage view={view} id={parsed.id} selected={selected} />
}

interface CardProps {
  readonly id: string
  readonly isBusy?: boolean
  readonly children: ComponentChildren
}

/** In place of a trace that is not open. */
function TraceCard({ id, isBusy = false, children }: CardProps) {
  return (
    <section class="card" aria-busy={isBusy}>
      <h2>
        Trace <code class="id">{id}</code>
      </h2>
      <p class="row">
        <a href={searchHref()}>Search</a>
      </p>
      {children}
    </section>
  )
}

interface PrefixProps {
  readonly view: MeshView
  readonly prefix: string
  readonly selected: string | undefined
}

/** The trace whose id begins with these digits; if several do, a list of them. */
function TraceByPrefix({ view, prefix, selected }: PrefixProps) {
  const { value, problem } = useLoaded(prefix, (isStale) =>
    resolveTraceId(reader, prefix, { nowMs: Date.now(), isStale }),
  )
  const [only, ...others] = value?.ids ?? []
  if (only !== undefined && others.length === 0) return <TracePage view={view} id={only} selected={selected} />
  const isBusy = value === undefined && problem === undefined
  return (
    <TraceCard id={`${prefix}…`} isBusy={isBusy}>
      <Problem text={problem} />
      {isBusy && <p class="quiet">Searching the last week …</p>}
      {value !== undefined && only === undefined && <p>No trace of the last week has an id that begins like this.</p>}
      {only !== undefined && (
        <ul>
          {[only, ...others].map((id) => (
            <li key={id}>
              <TraceLink id={id}>
                <code>{id}</code>
              </TraceLink>
            </li>
          ))}
        </ul>
      )}
      <Partial text={value?.partial} />
    </TraceCard>
  )
}
