import { useState } from 'preact/hooks'
import type { MeshView, ViewNode } from '../mesh-view.ts'
import { duration } from '../model/format.ts'
import { type Direction, type Sortable, sorted } from '../model/sort.ts'
import { meshesOf, NodeLink, Role, State } from './parts.tsx'
import { Spawn } from './spawn.tsx'

interface Column {
  readonly title: string
  readonly by: (node: ViewNode) => Sortable
  /** How it is written, where that is not the value itself. */
  readonly show?: (node: ViewNode) => preact.ComponentChild
  readonly number?: true
  /** Left out on a narrow screen. */
  readonly wide?: true
}

const columns: readonly Column[] = [
  { title: 'Node', by: ({ name, id }) => name || id, show: (node) => <NodeLink node={node} /> },
  { title: 'Role', by: ({ role }) => role, show: ({ role }) => <Role role={role} />, wide: true },
  { title: 'Mesh', by: meshesOf, wide: true },
  { title: 'State', by: ({ state }) => state, show: ({ state }) => <State state={state} /> },
  { title: 'Members', by: ({ counts }) => counts.members, number: true },
  { title: 'Links', by: ({ counts, links }) => counts.links ?? links.length, number: true },
  { title: 'Retries', by: ({ counts }) => counts.retries, number: true, wide: true },
  { title: 'Prunes', by: ({ counts }) => counts.prunes, number: true, wide: true },
  { title: 'Expired', by: ({ counts }) => counts.expired, number: true, wide: true },
  {
    title: 'Silent',
    by: ({ silentMs }) => silentMs,
    show: ({ silentMs }) => (silentMs === undefined ? '' : duration(silentMs)),
    number: true,
    wide: true,
  },
  { title: 'RSS, MiB', by: ({ rssMb }) => rounded(rssMb), number: true },
  { title: 'CPU, ms/s', by: ({ cpuMsPerS }) => rounded(cpuMsPerS), number: true, wide: true },
]

export function Nodes({ view }: { readonly view: MeshView }) {
  const [{ title, direction }, setOrder] = useState<{ readonly title: string; readonly direction: Direction }>({
    title: 'Node',
    direction: 'ascending',
  })
  const used = columns.filter((column) => view.nodes.some((node) => column.by(node) !== undefined))
  const column = used.find((candidate) => candidate.title === title) ?? columns[0]
  const nodes = column === undefined ? view.nodes : sorted(view.nodes, column.by, direction)
  const choose = (chosen: string) =>
    setOrder({ title: chosen, direction: chosen === title && direction === 'ascending' ? 'descending' : 'ascending' })
  return (
    <section class="card">
      <div class="scroll">
        <table class="sortable">
          <caption>
            {view.nodes.length} nodes{' '}
            <small class="wide">open one to see what it holds, and what traces tell of it</small>
          </caption>
          <thead>
            <tr>
              {used.map((one) => (
                <th key={one.title} scope="col" class={classOf(one)} aria-sort={one === column ? direction : undefined}>
                  <button type="button" onClick={() => choose(one.title)}>
                    {one.title}
                  </button>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {nodes.map((node) => (
              <tr key={node.id} class={`is-${node.state}`}>
                {used.map((one, index) => {
                  const shown = one.show === undefined ? one.by(node) : one.show(node)
                  return index === 0 ? (
                    <th key={one.title} scope="row">
                      {shown}
                    </th>
                  ) : (
                    <td key={one.title} class={classOf(one)}>
                      {shown}
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

function rounded(value: number | undefined): number | undefined {
  return value === undefined ? undefined : Math.round(value)
}
