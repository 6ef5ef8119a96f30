import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { forAll } from '../testing/for-all.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { seededRandom } from '../testing/random.ts'
import { completeGraph, earlierNeighbours, type Graph, regularGraph } from './graph.ts'

leakCheck()

/** Number of connected components, independent of the code under test: labels spread along links. */
function components(graph: Graph): number {
  const labels = graph.map((_, node) => node)
  for (const _ of graph) {
    for (const [node, neighbours] of graph.entries()) {
      labels[node] = Math.min(...[node, ...neighbours].map((one) => labels[one] ?? node))
    }
  }
  return new Set(labels).size
}

test('a regular graph: every node has `degree` neighbours, links are mutual, the graph is connected', (t) => {
  const shape = fc.record({
    half: fc.integer({ min: 2, max: 15 }),
    degree: fc.integer({ min: 2, max: 8 }),
    seed: fc.nat(),
  })
  return forAll({ t }, [shape], ({ half, degree, seed }) => {
    const nodes = half * 2
    fc.pre(degree < nodes)
    const graph = regularGraph(nodes, degree, seededRandom(seed))
    for (const [node, neighbours] of graph.entries()) {
      assert.equal(new Set(neighbours).size, degree)
      assert.ok(!neighbours.includes(node))
      assert.ok(neighbours.every((other) => graph[other]?.includes(node)))
    }
    assert.equal(components(graph), 1)
  })
})

test('one seed gives one graph, another seed another graph', () => {
  const graphOf = (seed: number) => regularGraph(18, 8, seededRandom(seed))
  assert.deepEqual(graphOf(1), graphOf(1))
  assert.notDeepEqual(graphOf(1), graphOf(2))
})

test('impossible node counts and degrees throw a RangeError', () => {
  const shapes: readonly (readonly [number, number])[] = [
    [5, 3],
    [4, 4],
    [3, 0],
  ]
  for (const [nodes, degree] of shapes) assert.throws(() => regularGraph(nodes, degree, () => 0.5), RangeError)
})

test('earlier neighbours: the later node dials each edge once', () => {
  const graph = completeGraph(4)
  assert.deepEqual(graph[1], [0, 2, 3])
  assert.deepEqual(earlierNeighbours(graph), [[], [0], [0, 1], [0, 1, 2]])
})
