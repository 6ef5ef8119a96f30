import { type ComponentChildren, createContext } from 'preact'
import { useContext, useState } from 'preact/hooks'
import type { MeshView, NodeState, ViewNode } from '../mesh-view.ts'
import { shortId } from '../model/format.ts'
import { hrefOf } from '../model/route.ts'

/** Names that identify exactly one node. */
export const UniqueNames = createContext<ReadonlySet<string>>(new Set())

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
  return <a href={hrefOfNode(node)}>{node.name === '' ? shortId(node.id) : node.name}</a>
}

/** A node by id. If it has left, the link leads to the page that shows its expiries. */
export function NodeById({ view, id }: { readonly view: MeshView; readonly id: string }) {
  const node = view.nodes.find((candidate) => candidate.id === id)
  if (node !== undefined) return <NodeLink node={node} />
  const short = <code title={id}>{shortId(id)}</code>
  return view.traces ? <a href={hrefOf('nodes', id)}>{short}</a> : short
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
  return <span class={`role role-${role}`}>{role}</span>
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

export function Problem({ text }: { readonly text: string | undefined }) {
  return text === undefined ? null : (
    <p class="problem" role="alert">
      {text}
    </p>
  )
}

/** Explains why the result may be incomplete. */
export function Partial({ text }: { readonly text: string | undefined }) {
  return text === undefined ? null : <p class="quiet">Incomplete: {text}.</p>
}
