import { useMemo } from 'preact/hooks'
import type { TraceSpan } from '../../traces/trace.ts'
import type { MeshView } from '../mesh-view.ts'
import { type Fate, nextPollMs, noExpiryText } from '../model/expiry.ts'
import { clock, duration } from '../model/format.ts'
import { isPeerId } from '../model/names.ts'
import { reader } from './api.ts'
import { Partial, Problem, TraceLink } from './parts.tsx'
import { useLoaded } from './use-loaded.ts'

interface ExpiredByProps {
  /** Peer id of the node, or its name if the view no longer has its id. */
  readonly peer: string
  readonly fate: Fate
  /** Whether a node still counts it as a member. */
  readonly isMember: boolean
  readonly view: MeshView
}

interface Expiries {
  readonly spans: readonly TraceSpan[]
  readonly partial: string | undefined
}

const spanName = 'mesh.member.expired'
const lookbackMs = 3_600_000

/** The nodes that expired this one, when, and the trace of each expiry. */
export function ExpiredBy({ peer, fate, isMember, view }: ExpiredByProps) {
  const services = [...new Set(view.nodes.flatMap(({ meshes }) => meshes))].sort()
  const key = `${peer} ${fate} ${isMember} ${services.join()}`
  const startedMs = useMemo(() => Date.now(), [key])
  const pollMs = (results: Expiries | undefined) => {
    const [newest] = results?.spans ?? []
    const expiryAgeMs = newest === undefined ? undefined : Date.now() - newest.startMs
    return nextPollMs({ fate, isMember, searchAgeMs: Date.now() - startedMs, expiryAgeMs })
  }
  const { value, problem, loading } = useLoaded(
    fate === 'waiting' ? undefined : key,
    () => findExpiries(peer, services),
    pollMs,
  )
  const isEmpty = fate === 'waiting' || value?.spans.length === 0
  return (
    <section class="card" aria-labelledby="expired-by">
      <h2 id="expired-by">Expired by</h2>
      <Problem text={problem} />
      {value === undefined && loading && <p class="quiet">Searching …</p>}
      {isEmpty && <p class="quiet">{noExpiryText(fate, pollMs(value) !== undefined)}</p>}
      {value !== undefined && value.spans.length > 0 && <ExpiryTable spans={value.spans} />}
      <Partial text={value?.partial} />
    </section>
  )
}

function ExpiryTable({ spans }: { readonly spans: readonly TraceSpan[] }) {
  return (
    <div class="scroll">
      <table>
        <caption class="unseen">Spans {spanName}</caption>
        <thead>
          <tr>
            <th scope="col">By</th>
            <th scope="col">At</th>
            <th scope="col" class="number">
              Silent for
            </th>
            <th scope="col">Trace</th>
          </tr>
        </thead>
        <tbody>
          {spans.map((span) => (
            <tr key={span.spanId}>
              <th scope="row">{String(span.resource['mesh.node.name'] ?? span.service)}</th>
              <td>{clock(span.startMs)}</td>
              <td class="number">{duration(Number(span.attributes['mesh.member.silence_ms'] ?? 0))}</td>
              <td>
                <TraceLink id={span.traceId} span={span.spanId} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

/** Newest first. */
async function findExpiries(peer: string, services: readonly string[]): Promise<Expiries> {
  const toMs = Date.now() + 5_000
  const key = isPeerId(peer) ? 'mesh.peer.id' : 'mesh.peer.name'
  const attributes = { [key]: peer }
  const results = await Promise.all(
    services.map((service) =>
      reader.find({ service, span: spanName, fromMs: toMs - lookbackMs, toMs, attributes, limit: 100 }),
    ),
  )
  const spans = results
    .flatMap(({ traces }) => traces.flatMap((trace) => trace.spans))
    .filter(({ name, attributes: spanAttributes }) => name === spanName && spanAttributes[key] === peer)
    .sort((a, b) => b.startMs - a.startMs)
  return { spans, partial: results.find(({ partial }) => partial !== undefined)?.partial }
}
