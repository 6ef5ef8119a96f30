import { useMemo } from 'preact/hooks'
import type { TraceSpan } from '../../traces/trace.ts'
import type { MeshView } from '../mesh-view.ts'
import { askAgainMs, type Fate, noExpiry } from '../model/expiry.ts'
import { clock, duration } from '../model/format.ts'
import { isPeerId } from '../model/names.ts'
import { reader } from './ask.ts'
import { Partial, Problem, TraceLink } from './parts.tsx'
import { useLoaded } from './use-loaded.ts'

interface ExpiredByProps {
  /** Peer id of the node; or its name, where nothing else is known any more. */
  readonly who: string
  readonly fate: Fate
  /** Whether somebody still counts it as a member. */
  readonly known: boolean
  readonly view: MeshView
}

interface Expiries {
  readonly spans: readonly TraceSpan[]
  readonly partial: string | undefined
}

const span = 'mesh.member.expired'
const lookBackMs = 3_600_000

/** Who expired this node, when, and the trace that tells why. */
export function ExpiredBy({ who, fate, known, view }: ExpiredByProps) {
  const services = [...new Set(view.nodes.flatMap(({ meshes }) => meshes))].sort()
  const key = `${who} ${fate} ${known} ${services.join()}`
  const since = useMemo(() => Date.now(), [key])
  const again = (found: Expiries | undefined) => {
    const [newest] = found?.spans ?? []
    const foundMs = newest === undefined ? undefined : Date.now() - newest.startMs
    return askAgainMs({ fate, known, sinceMs: Date.now() - since, foundMs })
  }
  const { value, problem, loading } = useLoaded(
    fate === 'waiting' ? undefined : key,
    () => expiries(who, services),
    again,
  )
  const none = fate === 'waiting' || value?.spans.length === 0
  return (
    <section class="card" aria-labelledby="expired-by">
      <h2 id="expired-by">Expired by</h2>
      <Problem text={problem} />
      {value === undefined && loading && <p class="quiet">Searching …</p>}
      {none && <p class="quiet">{noExpiry(fate, again(value) !== undefined)}</p>}
      {value !== undefined && value.spans.length > 0 && <Table spans={value.spans} />}
      <Partial text={value?.partial} />
    </section>
  )
}

function Table({ spans }: { readonly spans: readonly TraceSpan[] }) {
  return (
    <div class="scroll">
      <table>
        <caption class="unseen">Spans {span}</caption>
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
          {spans.map((one) => (
            <tr key={one.spanId}>
              <th scope="row">{String(one.resource['mesh.node.name'] ?? one.service)}</th>
              <td>{clock(one.startMs)}</td>
              <td class="number">{duration(Number(one.attributes['mesh.member.silence_ms'] ?? 0))}</td>
              <td>
                <TraceLink id={one.traceId} span={one.spanId} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

/** The newest first. */
async function expiries(who: string, services: readonly string[]): Promise<Expiries> {
  const toMs = Date.now() + 5_000
  const key = isPeerId(who) ? 'mesh.peer.id' : 'mesh.peer.name'
  const attributes = { [key]: who }
  const found = await Promise.all(
    services.map((service) => reader.find({ service, span, fromMs: toMs - lookBackMs, toMs, attributes, limit: 100 })),
  )
  const spans = found
    .flatMap(({ traces }) => traces.flatMap((trace) => trace.spans))
    .filter(({ name, attributes: own }) => name === span && own[key] === who)
    .sort((a, b) => b.startMs - a.startMs)
  return { spans, partial: found.find(({ partial }) => partial !== undefined)?.partial }
}
