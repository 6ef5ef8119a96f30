import type { Layout, Place } from '../model/layout.ts'

/** Draws the layout as it is, and then frame by frame until it rests. Returns what ends that. */
export function move(svg: SVGSVGElement, layout: Layout): () => void {
  const nodes = Array.from(svg.querySelectorAll<SVGAElement>('a[data-id]'))
  const lines = Array.from(svg.querySelectorAll<SVGLineElement>('line'))
  let frame = 0
  const draw = () => {
    const places = new Map(layout.places.map((place) => [place.id, place]))
    for (const node of nodes) put(node, places.get(node.dataset['id'] ?? ''))
    for (const line of lines) stretch(line, places.get(line.dataset['a'] ?? ''), places.get(line.dataset['b'] ?? ''))
  }
  const step = () => {
    if (!layout.moving) return
    layout.step()
    draw()
    frame = requestAnimationFrame(step)
  }
  draw()
  frame = requestAnimationFrame(step)
  return () => cancelAnimationFrame(frame)
}

function put(node: SVGAElement, place: Place | undefined): void {
  if (place !== undefined) node.setAttribute('transform', `translate(${tenth(place.x)} ${tenth(place.y)})`)
}

function stretch(line: SVGLineElement, from: Place | undefined, to: Place | undefined): void {
  if (from === undefined || to === undefined) return
  line.setAttribute('x1', tenth(from.x))
  line.setAttribute('y1', tenth(from.y))
  line.setAttribute('x2', tenth(to.x))
  line.setAttribute('y2', tenth(to.y))
}

function tenth(value: number | undefined): string {
  return (value ?? 0).toFixed(1)
}
