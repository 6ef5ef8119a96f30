import type { Layout, Place } from '../model/layout.ts'

/** Draws the layout, then redraws it every frame until it comes to rest. Returns a function that stops this. */
export function animate(svg: SVGSVGElement, layout: Layout): () => void {
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
