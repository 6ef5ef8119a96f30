import type { MeshView } from '../mesh-view.ts'
import { Graph } from './graph.tsx'
import { Legend } from './legend.tsx'
import { meshesOf, NodeLink, State } from './parts.tsx'

/** The mesh as a graph, and the same as a list. */
export function Topology({ view }: { readonly view: MeshView }) {
  const groups = Map.groupBy(view.nodes, (node) => meshesOf(node) || 'guests')
  const names = [...groups.keys()].sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1))
  return (
    <div class="topology">
      <section class="card graph-card" aria-label="Graph of the mesh">
        <Graph view={view} />
        <Legend view={view} />
      </section>
      <section class="card list" aria-label="Nodes by mesh">
        {names.map((name) => (
          <div key={name}>
            <h2>{name}</h2>
            <ul>
              {groups.get(name)?.map((node) => (
                <li key={node.id}>
                  <i class={`dot role-${node.role}`} aria-hidden="true" />
                  <NodeLink node={node} /> <small>{node.role}</small>
                  {node.state === 'running' ? (
                    <small class="right">{node.counts.links ?? node.links.length} links</small>
                  ) : (
                    <span class="right">
                      <State state={node.state} />
                    </span>
                  )}
                </li>
              ))}
            </ul>
          </div>
        ))}
      </section>
    </div>
  )
}

/** Meshes first, then bridges, then guests. */
function rank(group: string): number {
  return group === 'guests' ? 2 : group.includes(' + ') ? 1 : 0
}
