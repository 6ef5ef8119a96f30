import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { leakCheck } from '../testing/leak-check.ts'
import { pageMesh } from '../testing/page/page-mesh.ts'
import { MeshFeed } from './mesh-feed.ts'
import type { MeshView } from './mesh-view.ts'
import { type KeyedView, type MeshUpdate, plainView } from './model/keyed-view.ts'
import { applyPatch } from './model/merge-patch.ts'

leakCheck()

function follow(before: KeyedView | undefined, update: MeshUpdate): KeyedView {
  return 'view' in update ? update.view : (applyPatch(before, update.patch) as KeyedView)
}

/** The view of a lab a second later: figures of all nodes, a new span in place of the oldest, a node that is gone. */
function later(view: MeshView): MeshView {
  const [first] = view.spans
  const nodes = view.nodes.slice(0, -1).map((node) => ({ ...node, silentMs: (node.silentMs ?? 0) + 700 }))
  const spans = [...view.spans.slice(1), ...(first === undefined ? [] : [{ ...first, atMs: view.atMs + 1_000 }])]
  return { ...view, atMs: view.atMs + 1_000, nodes, spans }
}

test('a page that follows: has the view of the server after each change', () => {
  const feed = new MeshFeed()
  let view = pageMesh(8)
  let update = feed.update(view, '')
  let page = follow(undefined, update)
  for (let second = 0; second < 20; second++) {
    view = later(view)
    update = feed.update(view, update.revision)
    assert.ok('patch' in update)
    page = follow(page, JSON.parse(JSON.stringify(update)))
    assert.deepEqual(plainView(page), view)
  }
})

test('ten minutes of a lab: less than 1 MB for a page', () => {
  const feed = new MeshFeed()
  let view = pageMesh(8)
  let { revision } = feed.update(view, '')
  let bytes = 0
  for (let second = 0; second < 600; second++) {
    view = { ...later(view), nodes: view.nodes.map((node) => ({ ...node, silentMs: (node.silentMs ?? 0) + 700 })) }
    const update = feed.update(view, revision)
    revision = update.revision
    bytes += gzipSync(JSON.stringify(update)).length
  }
  assert.ok(bytes < 1_000_000, `${bytes} bytes`)
})

test('a page with a revision of another process, or one from long ago: gets the whole view', () => {
  const [feed, other] = [new MeshFeed(), new MeshFeed()]
  const view = pageMesh(8)
  const { revision } = feed.update(view, '')
  assert.ok('view' in feed.update(view, other.update(view, '').revision))
  for (let tab = 0; tab < 16; tab++) feed.update(view, '')
  assert.ok('view' in feed.update(view, revision))
})
