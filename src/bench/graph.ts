import type { Random } from '../core/machine.ts'

/** Neighbours of each node, ascending. */
export type Graph = readonly (readonly number[])[]

/** Switches per edge: far more than a graph of this size needs to lose the structure of the ring. */
const switchesPerEdge = 20
const maxTries = 100

/**
 * A random connected graph in which every node has `degree` neighbours: a ring lattice whose edges are switched in
 * pairs, which keeps every degree. The same `random` gives the same graph.
 *
 * @throws RangeError if there is no such graph.
 */
export function regularGraph(nodes: number, degree: number, random: Random): Graph {
  if (degree < 1 || degree >= nodes || (nodes * degree) % 2 === 1) {
    throw new RangeError(`no graph of ${nodes} nodes with ${degree} links each exists`)
  }
  for (let i = 0; i < maxTries; i++) {
    const edges = lattice(nodes, degree)
    shuffleEdges(edges, random)
    const graph = graphOf(nodes, edges)
    if (isConnected(graph)) return graph
  }
  throw new RangeError(`found no connected graph of ${nodes} nodes with ${degree} links each`)
}

/** A graph that links every node to every other. */
export function completeGraph(nodes: number): Graph {
  const all = Array.from({ length: nodes }, (_, i) => i)
  return all.map((i) => all.filter((j) => j !== i))
}

/** Neighbours that each node dials when nodes start one after the other: those with a lower index. */
export function earlierNeighbours(graph: Graph): Graph {
  return graph.map((neighbours, i) => neighbours.filter((j) => j < i))
}

type Edge = [number, number]

function lattice(nodes: number, degree: number): Edge[] {
  const edges: Edge[] = []
  for (let i = 0; i < nodes; i++) {
    for (let step = 1; step <= degree >> 1; step++) edges.push([i, (i + step) % nodes])
    if (degree % 2 === 1 && i < nodes / 2) edges.push([i, i + nodes / 2])
  }
  return edges
}

/** a-b and c-d become a-d and c-b, unless one of these exists or is a loop. */
function shuffleEdges(edges: Edge[], random: Random): void {
  const key = (a: number, b: number) => `${Math.min(a, b)}-${Math.max(a, b)}`
  const edgeKeys = new Set(edges.map(([a, b]) => key(a, b)))
  const pick = () => Math.floor(random() * edges.length)
  for (let i = 0; i < edges.length * switchesPerEdge; i++) {
    const [first, second] = [edges[pick()], edges[pick()]]
    if (first === undefined || second === undefined) continue
    const [a, b] = first
    const [c, d] = random() < 0.5 ? second : [second[1], second[0]]
    if (a === d || c === b || edgeKeys.has(key(a, d)) || edgeKeys.has(key(c, b))) continue
    edgeKeys.delete(key(a, b))
    edgeKeys.delete(key(c, d))
    edgeKeys.add(key(a, d)).add(key(c, b))
    first[1] = d
    second[0] = c
    second[1] = b
  }
}

function graphOf(nodes: number, edges: readonly Edge[]): Graph {
  const graph: number[][] = Array.from({ length: nodes }, () => [])
  for (const [a, b] of edges) {
    graph[a]?.push(b)
    graph[b]?.push(a)
  }
  return graph.map((neighbours) => neighbours.sort((a, b) => a - b))
}

function isConnected(graph: Graph): boolean {
  const reached = new Set([0])
  for (const node of reached) for (const next of graph[node] ?? []) reached.add(next)
  return reached.size === graph.length
}
