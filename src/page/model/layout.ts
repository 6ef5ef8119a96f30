import { forceCollide, forceLink, forceManyBody, forceSimulation, forceX, forceY, type Simulation } from 'd3-force'
import type { MeshView } from '../mesh-view.ts'

/** Position of a node. The simulation writes x and y. */
export interface Place {
  readonly id: string
  /** Centre of its mesh, or between two for a bridge, as fractions of the width and height. */
  homeX: number
  homeY: number
  x?: number
  y?: number
  vx?: number
  vy?: number
}

interface Spring {
  readonly source: Place
  readonly target: Place
}

export interface Size {
  readonly width: number
  readonly height: number
}

const margin = 34

/**
 * Positions of nodes. Meshes lie side by side (one above the other when the picture is tall), bridges in between. The
 * layout moves only when nodes or links come or go, and then gently: a poll must not shake the picture.
 */
export class Layout {
  readonly #simulation: Simulation<Place, undefined>
  #places: readonly Place[] = []
  #shape = ''
  #size: Size = { width: 800, height: 480 }

  constructor() {
    this.#simulation = forceSimulation<Place>().alphaMin(0.02).alphaDecay(0.045).velocityDecay(0.5).stop()
  }

  get places(): readonly Place[] {
    return this.#places
  }

  /** Whether the simulation has not come to rest. */
  get isMoving(): boolean {
    return this.#simulation.alpha() > this.#simulation.alphaMin()
  }

  /** Applies a new view. Does nothing if neither nodes, links nor the size changed. */
  update(view: Pick<MeshView, 'nodes' | 'links'>, size: Size): void {
    const shape = shapeOf(view, size)
    if (shape === this.#shape) return
    const isFirst = this.#shape === ''
    this.#shape = shape
    this.#size = size
    const [count, previousCount] = [view.nodes.length, this.#places.length]
    const before = new Map(this.#places.map((place) => [place.id, place]))
    const homes = homesOf(view, size)
    const radius = (0.12 + 0.03 * Math.sqrt(view.nodes.length)) * Math.min(size.width, size.height)
    this.#places = view.nodes.map(({ id }, index) => {
      const [homeX, homeY] = homes.get(id) ?? [0.5, 0.5]
      const old = before.get(id)
      if (old !== undefined) return Object.assign(old, { homeX, homeY })
      // Around the centre of its mesh: the same picture every time, with little to untangle.
      const angle = index * 2.4
      const [x, y] = [homeX * size.width + radius * Math.cos(angle), homeY * size.height + radius * Math.sin(angle)]
      return { id, homeX, homeY, x, y }
    })
    this.#force(view)
    // A changed link alone must not rearrange all nodes.
    const nodesChanged = count !== previousCount || this.#places.some(({ id }) => !before.has(id))
    this.#simulation.alpha(isFirst ? 0.9 : Math.max(this.#simulation.alpha(), nodesChanged ? 0.25 : 0.08))
    // Untangle most of it before the first frame.
    if (isFirst) this.#simulation.tick(60)
    this.#contain()
  }

  step(): void {
    this.#simulation.tick()
    this.#contain()
  }

  /** Runs the simulation to rest at once. */
  settle(): void {
    for (let steps = 0; this.isMoving && steps < 300; steps++) this.#simulation.tick()
    this.#contain()
  }

  #force({ links }: Pick<MeshView, 'links'>): void {
    const { width, height } = this.#size
    const byId = new Map(this.#places.map((place) => [place.id, place]))
    const springs: Spring[] = links.flatMap(({ a, b }) => {
      const [source, target] = [byId.get(a), byId.get(b)]
      return source === undefined || target === undefined ? [] : [{ source, target }]
    })
    const room = Math.sqrt((width * height) / Math.max(1, this.#places.length))
    const simulation = this.#simulation.nodes([...this.#places])
    simulation
      .force(
        'links',
        forceLink<Place, Spring>(springs)
          .distance(room * 0.8)
          .strength(0.02),
      )
      .force(
        'apart',
        forceManyBody<Place>()
          .strength(-room * 3)
          .distanceMax(room * 4),
      )
      .force('collide', forceCollide<Place>(Math.min(34, room * 0.42)).iterations(2))
      .force('x', forceX<Place>(({ homeX }) => homeX * width).strength(width > height ? 0.11 : 0.07))
      .force('y', forceY<Place>(({ homeY }) => homeY * height).strength(width > height ? 0.07 : 0.11))
  }

  #contain(): void {
    const { width, height } = this.#size
    for (const place of this.#places) {
      place.x = Math.min(width - margin, Math.max(margin, place.x ?? 0))
      place.y = Math.min(height - margin, Math.max(margin, place.y ?? 0))
    }
  }
}

/** Everything the layout depends on, as one text to compare. */
function shapeOf({ nodes, links }: Pick<MeshView, 'nodes' | 'links'>, { width, height }: Size): string {
  const pairs = links.map(({ a, b }) => `${a}>${b}`).sort()
  const members = nodes.map(({ id, meshes }) => `${id}@${meshes.join('+')}`)
  return `${width}x${height} ${members.join()} ${pairs.join()}`
}

function homesOf({ nodes }: Pick<MeshView, 'nodes'>, { width, height }: Size): Map<string, readonly [number, number]> {
  const meshes = [...new Set(nodes.flatMap((node) => node.meshes))].sort()
  const middle = (mesh: string) => (meshes.indexOf(mesh) + 0.5) / meshes.length
  return new Map(
    nodes.map((node) => {
      const along =
        node.meshes.length === 0 ? 0.5 : node.meshes.reduce((sum, mesh) => sum + middle(mesh), 0) / node.meshes.length
      return [node.id, width > height ? [along, 0.5] : [0.5, along]]
    }),
  )
}
