import type { ComponentChildren } from 'preact'
import type { MeshView, NodeState, ViewLink, ViewNode } from '../mesh-view.ts'
import { roleStyle } from './parts.tsx'

/** States in which a node is drawn in the colour of its role, with nothing but that. */
const plainStates: readonly NodeState[] = ['running']
/** States in which the colour of the role does not show. */
const rolelessStates: readonly NodeState[] = ['killed', 'failed', 'stopped', 'paused', 'guest', 'unknown']

/** Seeds and bridges are larger. */
export function radiusOf({ role }: Pick<ViewNode, 'role'>): number {
  return role === 'seed' || role === 'bridge' ? 11 : 8.5
}

/** The drawing of a node, without its name. */
export function NodeMark({ node }: { readonly node: Pick<ViewNode, 'role' | 'state'> }) {
  const { state } = node
  const radius = radiusOf(node)
  return (
    <>
      <circle class="halo" r={radius + 6} />
      <circle class="body" r={radius} />
      {(state === 'killed' || state === 'failed') && <path class="glyph" d="M-4-4L4 4M4-4L-4 4" />}
      {state === 'paused' && <path class="glyph" d="M-2.5-4V4M2.5-4V4" />}
    </>
  )
}

export function linkClass({ kind, ends }: Pick<ViewLink, 'kind' | 'ends'>): string {
  return `${kind} ends-${ends}`
}

const linkTexts: Readonly<Record<string, string>> = {
  'member ends-2': 'link',
  'member ends-1': 'link, reported by one end',
  'guest ends-1': 'connection of a guest',
  'guest ends-2': 'connection of a guest',
  'unsettled ends-1': 'connection without a hello yet',
  'unsettled ends-2': 'connection without a hello yet, on both ends',
}

/** Explains every mark that the graph shows now, and no other. */
export function Legend({ view }: { readonly view: MeshView }) {
  const { nodes, links } = view
  const roles = distinct(nodes.filter(({ state }) => !rolelessStates.includes(state)).map(({ role }) => role))
  const states = distinct(nodes.map(({ state }) => state).filter((state) => !plainStates.includes(state)))
  const kinds = distinct(links.map(linkClass))
  const self = nodes.find(({ id }) => id === view.self)
  return (
    <ul class="legend" aria-label="Legend">
      {roles.map((role) => (
        <Entry key={role} text={role}>
          <g class="node is-running" style={roleStyle(role)}>
            <NodeMark node={{ role, state: 'running' }} />
          </g>
        </Entry>
      ))}
      {states.flatMap((state) => {
        const inState = nodes.filter((node) => node.state === state)
        // One of each size in which it is drawn.
        const examples = [...new Map(inState.map((node) => [radiusOf(node), node])).values()]
        return (
          <Entry key={state} text={state} width={26 * examples.length}>
            {examples.map((node, index) => (
              <g
                key={node.id}
                class={`node is-${state}`}
                style={roleStyle(node.role)}
                transform={`translate(${26 * index} 0)`}
              >
                <NodeMark node={{ role: node.role, state }} />
              </g>
            ))}
          </Entry>
        )
      })}
      {self !== undefined && (
        <Entry text="the observer of this page">
          <g class="node self is-running" style={roleStyle(self.role)}>
            <NodeMark node={{ ...self, state: 'running' }} />
          </g>
        </Entry>
      )}
      {kinds.map((kind) => (
        <Entry key={kind} text={linkTexts[kind] ?? kind}>
          <line class={kind} x1="-12" x2="12" />
        </Entry>
      ))}
    </ul>
  )
}

interface EntryProps {
  readonly text: string
  readonly width?: number
  readonly children: ComponentChildren
}

function Entry({ text, width = 26, children }: EntryProps) {
  return (
    <li>
      <svg class="graph-mark" width={width} height="26" viewBox={`-13 -13 ${width} 26`} aria-hidden="true">
        {children}
      </svg>
      {text}
    </li>
  )
}

function distinct<T extends string>(all: readonly T[]): readonly T[] {
  return [...new Set(all)].sort()
}
