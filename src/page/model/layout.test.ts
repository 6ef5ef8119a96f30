import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../../testing/leak-check.ts'
import { pageMesh, pagePeer } from '../../testing/page/page-mesh.ts'
import { Layout } from './layout.ts'

leakCheck()

const wide = { width: 960, height: 600 }
const tall = { width: 360, height: 470 }

function settledLayout(perMesh: number, size: typeof wide): Layout {
  const layout = new Layout()
  layout.update(pageMesh(perMesh), size)
  layout.settle()
  return layout
}

test('a layout at rest: every node is within the margins and apart from the others', () => {
  for (const [perMesh, size] of [
    [8, wide],
    [8, tall],
    [29, wide],
  ] as const) {
    const { places } = settledLayout(perMesh, size)
    assert.equal(places.length, 2 * perMesh + 3)
    for (const { x = -1, y = -1 } of places) {
      assert.ok(x >= 30 && x <= size.width - 30 && y >= 30 && y <= size.height - 30, `${x} ${y}`)
    }
    const gaps = places.flatMap((one, index) =>
      places.slice(index + 1).map((other) => Math.hypot((one.x ?? 0) - (other.x ?? 0), (one.y ?? 0) - (other.y ?? 0))),
    )
    assert.ok(Math.min(...gaps) > 16, `closest ${Math.min(...gaps)} with ${places.length}`)
  }
})

test('two meshes: they lie side by side, the bridges between them', () => {
  const { places } = settledLayout(8, wide)
  const middle = (suffix: RegExp) => {
    const xs = places.filter(({ id }) => suffix.test(id)).map(({ x = 0 }) => x)
    return xs.reduce((sum, x) => sum + x, 0) / xs.length
  }
  assert.ok(middle(/a\d$/) + 100 < middle(/bridge\d$/))
  assert.ok(middle(/bridge\d$/) + 100 < middle(/b\d$/))
})

test('an unchanged view moves nothing; a new node moves the others only a little', () => {
  const layout = settledLayout(8, wide)
  const before = layout.places.map(({ x = 0, y = 0 }) => ({ x, y }))
  layout.update(pageMesh(8, { atMs: 5 }), wide)
  assert.equal(layout.isMoving, false)
  const view = pageMesh(8)
  const [first] = view.nodes
  assert.ok(first !== undefined)
  layout.update({ ...view, nodes: [...view.nodes, { ...first, id: pagePeer('new-a1'), name: 'new-a1' }] }, wide)
  assert.equal(layout.isMoving, true)
  layout.settle()
  const moved = before.map(({ x, y }, index) => {
    const now = layout.places[index]
    return Math.hypot((now?.x ?? 0) - x, (now?.y ?? 0) - y)
  })
  assert.ok(Math.max(...moved) < 160, `moved by ${Math.max(...moved)}`)
})
