import type { TraceSpan } from '../../traces/trace.ts'
import type { MeshView, ViewNode } from '../mesh-view.ts'
import { clock, duration } from '../model/format.ts'
import { reader } from './ask.ts'
import { Problem, TraceLink } from './parts.tsx'
import { useLoaded } from './use-loaded.ts'

const span = 'mesh.member.expired'
const lookBackMs = 3_600_000
/** A node that is gone is expired within half a minute or so: whoever waits for that sees it come. */
const goneEveryMs = 2_000
const liveEveryMs = 15_000

/** Who expired this node, when, and the trace that tells why. */
export function ExpiredBy({ node, view }: { readonly node: ViewNode; readonly view: MeshView }) {
  const services = [...new Set(view.nodes.flatMap(({ meshes }) => meshes))].sort()
  const gone = node.state !== 'running' && node.state !== 'starting'
  const key = `${node.id} ${services.join()}`
  const { value, problem, loading } = useLoaded(
    key,
    () => expiries(node.id, services),
    gone ? goneEveryMs : liveEveryMs,
  )
  return (
    <section class="card" aria-labelledby="expired-by">
      <h2 id="expired-by">Expired by</h2>
      <Problem text={problem} />
      {value === undefined && loading && <p class="quiet">Searching …</p>}
      {value?.length === 0 && (
        <p class="quiet">
          {gone ? 'Nobody has expired it yet: its silence is still within the window.' : 'Nobody, in the last hour.'}
        </p>
      )}
      {value !== undefined && value.length > 0 && <Expiries spans={value} />}
    </section>
  )
}

function Expiries({ spans }: { readonly spans: readonly TraceSpan[] }) {
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

async function expiries(peer: string, services: readonly string[]): Promise<TraceSpan[]> {
  const toMs = Date.now() + 5_000
  const attributes = { 'mesh.peer.id': peer }
  const found = await Promise.all(
    services.map((service) => reader.find({ service, span, fromMs: toMs - lookBackMs, toMs, attributes, limit: 100 })),
  )
  return found
    .flatMap(({ traces }) => traces.flatMap(({ spans }) => spans))
    .filter(({ name, attributes: own }) => name === span && own['mesh.peer.id'] === peer)
    .sort((a, b) => b.startMs - a.startMs)
}
