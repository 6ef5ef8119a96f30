import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'
import type { MeshView, NodeState, ViewNode } from '../mesh-view.ts'
import { shortId } from '../model/format.ts'
import { hrefOf } from '../model/route.ts'

/** What a node is called in an address: its name, or its id where it has none. */
export function keyOf({ name, id }: Pick<ViewNode, 'name' | 'id'>): string {
  return name === '' ? id : name
}

/** Its meshes as one text, the same for everybody who is in the same ones. */
export function meshesOf({ meshes }: Pick<ViewNode, 'meshes'>): string {
  return meshes.toSorted().join(' + ')
}

export function findNode(view: MeshView, key: string): ViewNode | undefined {
  return view.nodes.find((node) => node.name === key) ?? view.nodes.find((node) => node.id === key)
}

export function NodeLink({ node }: { readonly node: Pick<ViewNode, 'name' | 'id'> }) {
  return <a href={hrefOf('nodes', keyOf(node))}>{node.name === '' ? shortId(node.id) : node.name}</a>
}

/** A node by its id, which may be of nobody that is still here. */
export function NodeById({ view, id }: { readonly view: MeshView; readonly id: string }) {
  const node = view.nodes.find((candidate) => candidate.id === id)
  return node === undefined ? <code title={id}>{shortId(id)}</code> : <NodeLink node={node} />
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

export function Copy({ text, what }: { readonly text: string; readonly what: string }) {
  const [said, say] = useState('copy')
  const copy = () =>
    navigator.clipboard.writeText(text).then(
      () => say('copied'),
      () => say('not allowed'),
    )
  return (
    <button type="button" class="small" onClick={copy} onBlur={() => say('copy')} aria-label={`Copy ${what}`}>
      {said}
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
