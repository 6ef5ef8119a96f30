import { useMemo } from 'preact/hooks'
import type { TraceSpan } from '../../traces/trace.ts'
import type { MeshView } from '../mesh-view.ts'
import { type Fate, isPeerId, nextPollMs, noExpiryText } from '../model/mesh.ts'
import { clock, duration } from '../model/text.ts'
import { reader, useLoaded } from './api.ts'
import { type Column, Partial, Problem, Table, TraceLink } from './parts.tsx'

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
      {value !== undefined && value.spans.length > 0 && (
        <Table
          caption={`Spans ${spanName}`}
          isCaptionHidden
          columns={columns}
          rows={value.spans}
          keyOf={({ spanId }) => spanId}
        />
      )}
      <Partial text={value?.partial} />
    </section>
  )
}

const columns: readonly Column<TraceSpan>[] = [
  { title: 'By', cell: ({ resource, service }) => String(resource['mesh.node.name'] ?? service) },
  { title: 'At', cell: ({ startMs }) => clock(startMs) },
  {
    title: 'Silent for',
    cell: ({ attributes }) => duration(Number(attributes['mesh.member.silence_ms'] ?? 0)),
    number: true,
  },
  { title: 'Trace', cell: ({ traceId, spanId }) => <TraceLink id={traceId} span={spanId} /> },
]

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
