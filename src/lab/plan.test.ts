import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { lateNodeMs, missingSeedMs, neighbourTarget, nodeName, planLab, sizeWarnings } from './plan.ts'

leakCheck()

const size = { nodes: 8, meshes: 2, bridges: 2 }

test('two meshes of eight and two bridges: 18 nodes with every role', () => {
  const plan = planLab(size, 1)
  assert.equal(plan.length, 18)
  assert.equal(new Set(plan.map(({ name }) => name)).size, 18)
  for (const mesh of ['mesh-a', 'mesh-b']) {
    const inside = plan.filter(({ meshes }) => meshes.includes(mesh))
    assert.equal(inside.length, 10)
    const roles = new Set(inside.map(({ role }) => role))
    assert.deepEqual([...roles].sort(), ['bridge', 'broker', 'compute', 'gateway', 'registry', 'seed'])
    assert.equal(inside.filter(({ role }) => role === 'seed').length, 2)
  }
})

test('late starts: one seed, and one node of each mesh', () => {
  for (let seed = 0; seed < 50; seed++) {
    const late = planLab(size, seed).filter(({ startsAtMs }) => startsAtMs > 0)
    const missing = late.filter(({ startsAtMs }) => startsAtMs === missingSeedMs)
    const names = missing.map(({ name }) => name)
    assert.deepEqual(names, ['a-seed-2'])
    const others = late.filter(({ startsAtMs }) => startsAtMs === lateNodeMs)
    assert.deepEqual(others.map(({ meshes }) => meshes[0]).sort(), ['mesh-a', 'mesh-b'])
    assert.ok(others.every(({ role }) => role !== 'seed' && role !== 'bridge'))
  }
})

test('start order: seeds first, the rest in a random order that depends on the seed', () => {
  const names = (seed: number) => planLab(size, seed).map(({ name }) => name)
  assert.deepEqual(names(7), names(7))
  assert.notDeepEqual(names(7), names(8))
  for (const seed of [1, 2, 3])
    assert.ok(
      names(seed)
        .slice(0, 4)
        .every((name) => name.includes('seed')),
    )
})

test('the smallest lab has three nodes; bridges lead from each mesh to the next', () => {
  assert.equal(planLab({ nodes: 3, meshes: 1, bridges: 0 }, 1).length, 3)
  const bridges = planLab({ nodes: 3, meshes: 3, bridges: 4 }, 1).filter(({ role }) => role === 'bridge')
  const ends = bridges.toSorted((a, b) => a.name.localeCompare(b.name)).map(({ meshes }) => meshes.join(' '))
  assert.deepEqual(ends, ['mesh-a mesh-b', 'mesh-b mesh-c', 'mesh-c mesh-a', 'mesh-a mesh-b'])
})

test('small meshes are fully linked, and a new node gets the next free name', () => {
  assert.deepEqual([[10], [10, 10], [40], [1]].map(neighbourTarget), [9, 18, 8, 1])
  assert.equal(nodeName('compute', 'mesh-b', ['b-compute-1', 'b-compute-2', 'a-compute-3']), 'b-compute-3')
  assert.equal(nodeName('bridge', 'mesh-b', ['bridge-1']), 'bridge-2')
})

test('a lab too large for its machine: says so, and what to change; one that fits says nothing', () => {
  const machine = { availableBytes: 8 * 2 ** 30, cores: 2 }
  assert.deepEqual(sizeWarnings(size, machine), [])
  assert.deepEqual(sizeWarnings(size, { ...machine, availableBytes: 2 ** 30 }), [
    'warning: 18 nodes need about 1710 MiB of memory, and 1024 are available: use --nodes',
  ])
  assert.deepEqual(sizeWarnings({ ...size, nodes: 30 }, machine), [
    'warning: 62 nodes on 2 cores take minutes to start: use --nodes',
  ])
})
