import { useState } from 'preact/hooks'
import type { MeshView, ViewNode } from '../mesh-view.ts'
import { duration } from '../model/format.ts'
import { type Direction, type Sortable, sortBy } from '../model/sort.ts'
import { meshesOf, NodeLink, Role, State } from './parts.tsx'
import { Spawn } from './spawn.tsx'

interface Column {
  readonly title: string
  readonly value: (node: ViewNode) => Sortable
  /** Renders the cell, where it is not the value itself. */
  readonly show?: (node: ViewNode) => preact.ComponentChild
  readonly number?: true
  /** Hidden on a narrow screen. */
  readonly wide?: true
}

const columns: readonly Column[] = [
  { title: 'Node', value: ({ name, id }) => name || id, show: (node) => <NodeLink node={node} /> },
  { title: 'Role', value: ({ role }) => role, show: ({ role }) => <Role role={role} />, wide: true },
  { title: 'Mesh', value: meshesOf, wide: true },
  { title: 'State', value: ({ state }) => state, show: ({ state }) => <State state={state} /> },
  { title: 'Members', value: ({ counts }) => counts.members, number: true },
  { title: 'Links', value: ({ counts, links }) => counts.links ?? links.length, number: true },
  { title: 'Retries', value: ({ counts }) => counts.retries, number: true, wide: true },
  { title: 'Prunes', value: ({ counts }) => counts.prunes, number: true, wide: true },
  { title: 'Expired', value: ({ counts }) => counts.expired, number: true, wide: true },
  {
    title: 'Silent',
    value: ({ silentMs }) => silentMs,
    show: ({ silentMs }) => (silentMs === undefined ? '' : duration(silentMs)),
    number: true,
    wide: true,
  },
  { title: 'RSS, MiB', value: ({ rssMb }) => round(rssMb), number: true },
  { title: 'CPU, ms/s', value: ({ cpuMsPerS }) => round(cpuMsPerS), number: true, wide: true },
]

export function Nodes({ view }: { readonly view: MeshView }) {
  const [{ title, direction }, setOrder] = useState<{ readonly title: string; readonly direction: Direction }>({
    title: 'Node',
    direction: 'ascending',
  })
  const visibleColumns = columns.filter((column) => view.nodes.some((node) => column.value(node) !== undefined))
  const column = visibleColumns.find((candidate) => candidate.title === title) ?? columns[0]
  const nodes = column === undefined ? view.nodes : sortBy(view.nodes, column.value, direction)
  const reorder = (newTitle: string) =>
    setOrder({
      title: newTitle,
      direction: newTitle === title && direction === 'ascending' ? 'descending' : 'ascending',
    })
  return (
    <section class="card">
      <div class="scroll">
        <table class="sortable">
          <caption>
            {view.nodes.length} nodes <small class="wide">open one to see its registries, links and traces</small>
          </caption>
          <thead>
            <tr>
              {visibleColumns.map((one) => (
                <th key={one.title} scope="col" class={classOf(one)} aria-sort={one === column ? direction : undefined}>
                  <button type="button" onClick={() => reorder(one.title)}>
                    {one.title}
                  </button>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {nodes.map((node) => (
              <tr key={node.id} class={`is-${node.state}`}>
                {visibleColumns.map((one, index) => {
                  const content = one.show === undefined ? one.value(node) : one.show(node)
                  return index === 0 ? (
                    <th key={one.title} scope="row">
                      {content}
                    </th>
                  ) : (
                    <td key={one.title} class={classOf(one)}>
                      {content}
                    </td>
                  )
                })}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {view.from === 'lab' && <Spawn view={view} />}
    </section>
  )
}

function classOf({ number, wide }: Column): string {
  return `${number ? 'number' : ''} ${wide ? 'wide' : ''}`
}

function round(value: number | undefined): number | undefined {
  return value === undefined ? undefined : Math.round(value)
}
