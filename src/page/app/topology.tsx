import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks'
import type { MeshView, ViewLink, ViewNode } from '../mesh-view.ts'
import { Layout, type Place, type Size } from '../model/layout.ts'
import { withUnknownNodes } from '../model/mesh.ts'
import { nodeTitle, shortName } from '../model/text.ts'
import { Legend, linkClass, NodeMark, radiusOf } from './legend.tsx'
import { meshesOf, NodeLink, roleStyle, State, useNodeHref } from './parts.tsx'

/** The mesh as a graph, and the same as a list. */
export function Topology({ view: reported }: { readonly view: MeshView }) {
  const view = withUnknownNodes(reported)
  const groups = Map.groupBy(view.nodes, (node) => (node.state === 'unknown' ? 'unknown' : meshesOf(node) || 'guests'))
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
                  <i class="dot" style={roleStyle(node.role)} aria-hidden="true" />
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

/** Meshes first, then bridges, guests, and nodes of which only links are known. */
function rank(group: string): number {
  return group === 'unknown' ? 3 : group === 'guests' ? 2 : group.includes(' + ') ? 1 : 0
}

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
  return <line key={`${a} ${b} ${id}`} data-a={a} data-b={b} class={linkClass({ kind, ends })} />
}

function Node({ node, self }: { readonly node: ViewNode; readonly self: boolean }) {
  const hrefOfNode = useNodeHref()
  const name = nodeTitle(node)
  return (
    <a
      data-id={node.id}
      class={`node is-${node.state} ${self ? 'self' : ''}`}
      style={roleStyle(node.role)}
      href={hrefOfNode(node)}
    >
      <title>{`${name}, ${node.role}, ${node.state}`}</title>
      <NodeMark node={node} />
      <text y={radiusOf(node) + 13}>{shortName(name)}</text>
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

/** Draws the layout, then redraws it every frame until it comes to rest. Returns a function that stops this. */
function animate(svg: SVGSVGElement, layout: Layout): () => void {
  const nodes = Array.from(svg.querySelectorAll<SVGAElement>('a[data-id]'))
  const lines = Array.from(svg.querySelectorAll<SVGLineElement>('line'))
  let frame = 0
  const draw = () => {
    const places = new Map(layout.places.map((place) => [place.id, place]))
    for (const node of nodes) moveNode(node, places.get(node.dataset['id'] ?? ''))
    for (const line of lines) moveLine(line, places.get(line.dataset['a'] ?? ''), places.get(line.dataset['b'] ?? ''))
  }
  const step = () => {
    if (!layout.isMoving) return
    layout.step()
    draw()
    frame = requestAnimationFrame(step)
  }
  draw()
  frame = requestAnimationFrame(step)
  return () => cancelAnimationFrame(frame)
}

function moveNode(node: SVGAElement, place: Place | undefined): void {
  if (place !== undefined) node.setAttribute('transform', `translate(${oneDecimal(place.x)} ${oneDecimal(place.y)})`)
}

function moveLine(line: SVGLineElement, from: Place | undefined, to: Place | undefined): void {
  if (from === undefined || to === undefined) return
  line.setAttribute('x1', oneDecimal(from.x))
  line.setAttribute('y1', oneDecimal(from.y))
  line.setAttribute('x2', oneDecimal(to.x))
  line.setAttribute('y2', oneDecimal(to.y))
}

function oneDecimal(value: number | undefined): string {
  return (value ?? 0).toFixed(1)
}
