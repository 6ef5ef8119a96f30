import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MeshError } from '../../core/errors.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { pageMesh } from '../../testing/page/page-mesh.ts'
import { ageText, meshTrouble, storeTrouble, UnansweredError } from './trouble.ts'

leakCheck()

const url = 'http://127.0.0.1:1/api/v3/traces'

test('no view: a server that is gone, one that fails, and a lab that has ended differ', () => {
  const gone = new UnansweredError('connection refused')
  const view = pageMesh(8)
  assert.deepEqual(meshTrouble(gone, view), {
    text: 'The server of this page does not answer.',
    detail: 'connection refused',
  })
  assert.deepEqual(meshTrouble(gone, { ...view, ending: true }), { text: 'The lab has ended.' })
  assert.match(meshTrouble(new Error('not now'), view).text, /reports a problem/)
})

test('no traces: a store that is gone or busy is asked again, a refusal is not', () => {
  const refused = (status: number) => new MeshError('MESH_TRACES_REFUSED', { url, status, reason: 'why' })
  const shown = [
    new MeshError('MESH_TRACES_UNREACHABLE', { url, cause: 'refused' }),
    refused(502),
    refused(503),
    refused(400),
    new RangeError('invalid time range'),
  ].map(storeTrouble)
  assert.deepEqual(
    shown.map(({ text, retries = false }) => [text, retries]),
    [
      ['The server of this page does not answer.', true],
      ['The trace store does not answer.', true],
      ['The trace store is busy.', true],
      ['The trace store refuses the question.', false],
      ['invalid time range', false],
    ],
  )
})

test('the age of a view: never negative, whatever the clocks say', () => {
  const view = { ...pageMesh(8), atMs: 100_000 }
  assert.match(ageText(view, 112_000), /12 s ago/)
  assert.match(ageText(view, 90_000), /0 ms ago/)
})
