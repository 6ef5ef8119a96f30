import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks'
import type { MeshView, ViewLink, ViewNode } from '../mesh-view.ts'
import { shortId } from '../model/format.ts'
import { Layout, type Size } from '../model/layout.ts'
import { animate } from './graph-motion.ts'
import { useNodeHref } from './parts.tsx'

/** Above this many nodes the graph shows a name only on hover or focus. */
const maxNamedNodes = 40
const reducedMotion = matchMedia('(prefers-reduced-motion: reduce)')

/**
 * The mesh as a graph. Preact renders the nodes and links when they change; the layout writes positions straight into
 * the SVG while it moves.
 */
export function Graph({ view }: { readonly view: MeshView }) {
  const svg = useRef<SVGSVGElement>(null)
  const [layout] = useState(() => new Layout())
  const size = useSize(svg)
  // Most responses change neither links nor nodes; these keys then keep every effect below from running.
  const linksKey = view.links.map(({ a, b, id, kind, ends }) => `${a} ${b} ${id} ${kind} ${ends}`).join()
  const nodesKey = view.nodes
    .map(({ id, name, role, state, meshes }) => `${id} ${name} ${role} ${state} ${meshes}`)
    .join()
  useLayoutEffect(() => {
    if (svg.current === null || size === undefined) return
    layout.update(view, size)
    if (reducedMotion.matches) layout.settle()
    return animate(svg.current, layout)
  }, [linksKey, nodesKey, size, layout])
  const links = useMemo(() => view.links.map(lineOf), [linksKey])
  const nodes = useMemo(
    () => view.nodes.map((node) => <Node key={node.id} node={node} self={node.id === view.self} />),
    [nodesKey, view.self],
  )
  const names = view.nodes.length > maxNamedNodes ? 'few-names' : ''
  return (
    // biome-ignore lint/a11y/useSemanticElements: a graph is not a fieldset
    <svg
      ref={svg}
      class={`graph ${names}`}
      role="group"
      aria-label={`${view.nodes.length} nodes, ${view.links.length} links`}
    >
      <g class="links">{links}</g>
      <g class="nodes">{nodes}</g>
    </svg>
  )
}

function lineOf({ a, b, id, kind, ends }: ViewLink) {
  return <line key={`${a} ${b} ${id}`} data-a={a} data-b={b} class={`${kind} ends-${ends}`} />
}

function Node({ node, self }: { readonly node: ViewNode; readonly self: boolean }) {
  const hrefOfNode = useNodeHref()
  const name = node.name === '' ? shortId(node.id) : node.name
  const radius = node.role === 'seed' || node.role === 'bridge' ? 11 : 8.5
  return (
    <a
      data-id={node.id}
      class={`node role-${node.role} is-${node.state} ${self ? 'self' : ''}`}
      href={hrefOfNode(node)}
      aria-label={`${name}, ${node.role}, ${node.state}`}
    >
      <circle class="halo" r={radius + 6} />
      <circle class="body" r={radius} />
      {(node.state === 'killed' || node.state === 'failed') && <path class="glyph" d="M-4-4L4 4M4-4L-4 4" />}
      {node.state === 'paused' && <path class="glyph" d="M-2.5-4V4M2.5-4V4" />}
      <text y={radius + 13}>{name}</text>
    </a>
  )
}

/** Size of the SVG in CSS pixels, which are also its user units. */
function useSize(svg: { readonly current: SVGSVGElement | null }): Size | undefined {
  const [size, setSize] = useState<Size>()
  useEffect(() => {
    if (svg.current === null) return
    const observer = new ResizeObserver(([entry]) => {
      const box = entry?.contentRect
      if (box !== undefined && box.width > 0) setSize({ width: Math.round(box.width), height: Math.round(box.height) })
    })
    observer.observe(svg.current)
    return () => observer.disconnect()
  }, [svg])
  return size
}
