import { useState } from 'preact/hooks'
import type { MeshView, ViewNode } from '../mesh-view.ts'
import { type Direction, duration, type Sortable, sortBy } from '../model/text.ts'
import { Spawn } from './controls.tsx'
import { type Column, meshesOf, NodeLink, Role, State, Table } from './parts.tsx'

/** A column that orders the nodes by a value, and shows it unless it has its own cell. */
interface NodeColumn extends Omit<Column<ViewNode>, 'cell'> {
  readonly value: (node: ViewNode) => Sortable
  readonly cell?: Column<ViewNode>['cell']
}

const columns: readonly NodeColumn[] = [
  { title: 'Node', value: ({ name, id }) => name || id, cell: (node) => <NodeLink node={node} /> },
  { title: 'Role', value: ({ role }) => role, cell: ({ role }) => <Role role={role} />, wide: true },
  { title: 'Mesh', value: meshesOf, wide: true },
  { title: 'State', value: ({ state }) => state, cell: ({ state }) => <State state={state} /> },
  { title: 'Members', value: ({ counts }) => counts.members, number: true },
  { title: 'Links', value: ({ counts, links }) => counts.links ?? links.length, number: true },
  { title: 'Retries', value: ({ counts }) => counts.retries, number: true, wide: true },
  { title: 'Prunes', value: ({ counts }) => counts.prunes, number: true, wide: true },
  { title: 'Expired', value: ({ counts }) => counts.expired, number: true, wide: true },
  {
    title: 'Silent',
    value: ({ silentMs }) => silentMs,
    cell: ({ silentMs }) => (silentMs === undefined ? '' : duration(silentMs)),
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
  const caption = (
    <>
      {view.nodes.length} nodes <small class="wide">open one to see its registries, links and traces</small>
    </>
  )
  const withButton = (one: NodeColumn): Column<ViewNode> => {
    const head = (
      <button type="button" onClick={() => reorder(one.title)}>
        {one.title}
      </button>
    )
    return { cell: one.value, ...one, head }
  }
  return (
    <section class="card">
      <Table
        class="sortable"
        caption={caption}
        columns={visibleColumns.map(withButton)}
        rows={nodes}
        keyOf={({ id }) => id}
        rowClass={({ state }) => `is-${state}`}
        order={[column?.title, direction]}
      />
      {view.from === 'lab' && <Spawn view={view} />}
    </section>
  )
}

function round(value: number | undefined): number | undefined {
  return value === undefined ? undefined : Math.round(value)
}
