import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { forAll } from '../../testing/for-all.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { applyPatch, mergePatch } from './merge-patch.ts'

leakCheck()

const { json } = fc.letrec<{ json: unknown }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 3 },
    fc.integer(),
    fc.constantFrom('', 'a'),
    fc.array(fc.integer({ max: 3 }), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom('a', 'b', 'c', '__proto__'), tie('json'), { maxKeys: 4, noNullPrototype: true }),
  ),
}))
const object = fc.dictionary(fc.constantFrom('a', 'b', 'c', '__proto__'), json, { noNullPrototype: true })

test('any two objects: the change applied to the first gives the second, also after a transport', (t) =>
  forAll({ t }, [object, object], (before, after) => {
    const patch = mergePatch(before, after)
    const sent = patch === undefined ? {} : JSON.parse(JSON.stringify(patch))
    assert.deepEqual(applyPatch(before, sent), after)
  }))

test('equal objects: no change', (t) =>
  forAll({ t }, [object], (one) => void assert.equal(mergePatch(one, one), undefined)))

test('a change has only what changed, and what it leaves alone stays the same object', () => {
  const before = { atMs: 1, nodes: { a: { silentMs: 1, name: 'a' }, b: { silentMs: 2 }, c: {} } }
  const patch = mergePatch(before, { atMs: 2, nodes: { a: { silentMs: 3, name: 'a' }, b: { silentMs: 2 } } })
  assert.deepEqual(patch, { atMs: 2, nodes: { a: { silentMs: 3 }, c: null } })
  const { nodes } = applyPatch(before, patch) as typeof before
  assert.equal(nodes.b, before.nodes.b)
})
