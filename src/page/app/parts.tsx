import { type ComponentChildren, createContext } from 'preact'
import { useContext, useState } from 'preact/hooks'
import { roles, roleTable } from '../../catalogue/roles.ts'
import type { TraceSpan } from '../../traces/trace.ts'
import type { MeshView, NodeState, ViewNode } from '../mesh-view.ts'
import { type Direction, hrefOf, nodeTitle, shortId } from '../model/text.ts'
import type { Trouble } from '../model/trouble.ts'

/** Names that identify exactly one node. */
export const UniqueNames = createContext<ReadonlySet<string>>(new Set())

/** Nodes of the view by id. */
export const KnownNodes = createContext<ReadonlyMap<string, ViewNode>>(new Map())

/** Whether the shown mesh is the current one, so that its controls work. */
export const IsLive = createContext(true)

/** Address of a node: by name if the name is unique, else by id. */
export function useNodeHref(): (node: Pick<ViewNode, 'name' | 'id'>) => string {
  const names = useContext(UniqueNames)
  return ({ name, id }) => hrefOf('nodes', names.has(name) ? name : id)
}

/** The meshes of a node as one text, equal for all nodes in the same meshes. */
export function meshesOf({ meshes }: Pick<ViewNode, 'meshes'>): string {
  return meshes.toSorted().join(' + ')
}

export function NodeLink({ node }: { readonly node: Pick<ViewNode, 'name' | 'id'> }) {
  const hrefOfNode = useNodeHref()
  const title = nodeTitle(node)
  return (
    <a class="node-name" href={hrefOfNode(node)} title={title}>
      {title}
    </a>
  )
}

/** A node by id. The link of an unknown one leads to the page that shows its expiries. */
export function NodeById({ view, id }: { readonly view: MeshView; readonly id: string }) {
  const node = view.nodes.find((candidate) => candidate.id === id)
  if (node !== undefined) return <NodeLink node={node} />
  return (
    <>
      <a href={hrefOf('nodes', id)}>
        <code title={id}>{shortId(id)}</code>
      </a>{' '}
      <small>unknown</small>
    </>
  )
}

/** The node that emitted a span. */
export function Emitter({ resource, service }: Pick<TraceSpan, 'resource' | 'service'>) {
  const nodes = useContext(KnownNodes)
  const id = String(resource['mesh.peer.self'] ?? '')
  const name = String(resource['mesh.node.name'] ?? service)
  const node = nodes.get(id)
  if (node !== undefined) return <NodeLink node={node} />
  return (
    <>
      {name} <small>unknown to this page</small>
    </>
  )
}

export function TraceLink(props: {
  readonly id: string
  readonly span?: string
  readonly children?: ComponentChildren
}) {
  return (
    <a class="trace-link" href={hrefOf('traces', props.id, { span: props.span ?? '' })}>
      {props.children ?? <code>{props.id.slice(0, 8)}</code>}
    </a>
  )
}

export function State({ state }: { readonly state: NodeState }) {
  return <span class={`state state-${state}`}>{state}</span>
}

export function Role({ role }: { readonly role: string }) {
  return (
    <span class="role" style={roleStyle(role)}>
      {role}
    </span>
  )
}

/** Sets the colour of a role; a guest and an unknown role have the default of `app.css`. */
export function roleStyle(role: string): { readonly '--role'?: string } {
  const known = roles.find((one) => one === role)
  return known === undefined ? {} : { '--role': `light-dark(${roleTable[known].colours.join(', ')})` }
}

/** Renders nothing without a clipboard: browsers have none for plain HTTP from beyond loopback. */
export function Copy({ text, what }: { readonly text: string; readonly what: string }) {
  const [label, setLabel] = useState('copy')
  const clipboard: Clipboard | undefined = navigator.clipboard
  if (clipboard === undefined) return null
  const copy = () =>
    clipboard.writeText(text).then(
      () => setLabel('copied'),
      () => setLabel('not allowed'),
    )
  return (
    <button type="button" class="small" onClick={copy} onBlur={() => setLabel('copy')} aria-label={`Copy ${what}`}>
      {label}
    </button>
  )
}

/** One column of a table. The first column is the head of its row. */
export interface Column<T> {
  readonly title: string
  /** In place of the title. */
  readonly head?: ComponentChildren
  readonly cell: (row: T) => ComponentChildren
  /** Aligned to the right. */
  readonly number?: true
  /** Hidden on a narrow screen. */
  readonly wide?: true
}

interface TableProps<T> {
  readonly caption: ComponentChildren
  /** Only for screen readers. */
  readonly isCaptionHidden?: boolean
  readonly columns: readonly Column<T>[]
  readonly rows: readonly T[]
  readonly keyOf: (row: T, index: number) => string
  readonly class?: string
  readonly rowClass?: (row: T) => string
  /** Title and direction of the column that orders the rows. */
  readonly order?: readonly [title: string | undefined, Direction]
}

/** A table that scrolls on a narrow screen. */
export function Table<T>(props: TableProps<T>) {
  const { caption, isCaptionHidden, columns, rows, keyOf, rowClass, order } = props
  return (
    <div class="scroll">
      <table class={props.class}>
        <caption class={isCaptionHidden ? 'unseen' : undefined}>{caption}</caption>
        <thead>
          <tr>
            {columns.map(({ title, head, ...style }) => (
              <th
                key={title}
                scope="col"
                class={cellClass(style)}
                aria-sort={order?.[0] === title ? order[1] : undefined}
              >
                {head ?? title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, index) => (
            <tr key={keyOf(row, index)} class={rowClass?.(row)}>
              {columns.map(({ title, cell, ...style }, column) =>
                column === 0 ? (
                  <th key={title} scope="row">
                    {cell(row)}
                  </th>
                ) : (
                  <td key={title} class={cellClass(style)}>
                    {cell(row)}
                  </td>
                ),
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

function cellClass({ number, wide }: { readonly number?: true; readonly wide?: true }): string | undefined {
  return [number && 'number', wide && 'wide'].filter(Boolean).join(' ') || undefined
}

interface SelectProps {
  readonly label: string
  readonly name: string
  /** Texts, or pairs of value and text. */
  readonly options: readonly (string | readonly [value: string, text: string])[]
  readonly value?: string
  readonly onChange?: (event: { readonly currentTarget: HTMLSelectElement }) => void
}

/** A field of a form with a choice. */
export function Select({ label, name, options, value, onChange }: SelectProps) {
  return (
    <label>
      {label}
      <select name={name} value={value} onChange={onChange}>
        {options.map((option) => {
          const [own, text] = typeof option === 'string' ? [option, option] : option
          return (
            <option key={own} value={own}>
              {text}
            </option>
          )
        })}
      </select>
    </label>
  )
}

/** Times back from now, in minutes. */
export const lookbacks: readonly (readonly [minutes: string, text: string])[] = [
  ['5', '5 minutes'],
  ['15', '15 minutes'],
  ['60', 'an hour'],
  ['360', '6 hours'],
  ['1440', 'a day'],
  ['10080', 'a week'],
]

/** In place of what needs a trace store. */
export function NoStore() {
  return (
    <section class="card">
      <p>No trace store is configured: set MESH_QUERY (--query) of the observer.</p>
    </section>
  )
}

/** A row of a list of facts. */
export function Fact({ name, children }: { readonly name: string; readonly children: ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  )
}

/** One sentence; the detail unfolds. */
export function Problem({ text: problem }: { readonly text: Trouble | string | undefined }) {
  if (problem === undefined) return null
  const { text, detail }: Trouble = typeof problem === 'string' ? { text: problem } : problem
  return (
    <div class="problem" role="alert">
      {text} <Detail text={detail} />
    </div>
  )
}

export function Detail({ text }: { readonly text: string | undefined }) {
  return text === undefined ? null : (
    <details class="folded">
      <summary>Detail</summary>
      <span>{text}</span>
    </details>
  )
}

/** Explains why the result may be incomplete. */
export function Partial({ text }: { readonly text: string | undefined }) {
  return text === undefined ? null : <p class="quiet">Incomplete: {text}.</p>
}
