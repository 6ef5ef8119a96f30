import type { MeshView, ViewNode } from '../mesh-view.ts'
import { NodeById, TraceLink } from './parts.tsx'

/** Current links of a node, each with the trace in which it opened. */
export function NodeLinks({ node, view }: { readonly node: ViewNode; readonly view: MeshView }) {
  const links = view.links.filter(({ a, b }) => a === node.id || b === node.id)
  if (links.length === 0) return <p class="quiet">No links.</p>
  return (
    <div class="scroll">
      <table>
        <caption class="unseen">Links of {node.name || node.id}</caption>
        <thead>
          <tr>
            <th scope="col">Other end</th>
            <th scope="col">Kind</th>
            <th scope="col">Transport</th>
            <th scope="col" class="wide">
              Reported by
            </th>
            <th scope="col">Opened</th>
          </tr>
        </thead>
        <tbody>
          {links.map(({ a, b, id, kind, transport, ends, trace }) => (
            <tr key={`${a} ${b} ${id}`}>
              <th scope="row">
                <NodeById view={view} id={a === node.id ? b : a} />
              </th>
              <td>{kind}</td>
              <td>{transport}</td>
              <td class="wide">{ends === 2 ? 'both ends' : 'one end'}</td>
              <td>{trace === undefined || !view.traces ? '' : <TraceLink id={trace} />}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}
