import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { GhostWatch } from './ghost-watch.ts'

leakCheck()

const check = (watch: GhostWatch, now: number, ...ids: string[]) => [...watch.check(new Set(ids), now)]

test('a ghost: due once it has been one for the grace, and until it is gone', () => {
  const watch = new GhostWatch(2_000)
  assert.deepEqual(check(watch, 0, 'ann'), [])
  assert.deepEqual(check(watch, 1_999, 'ann', 'bob'), [])
  assert.deepEqual(check(watch, 2_000, 'ann', 'bob'), ['ann'])
  assert.deepEqual(check(watch, 4_000, 'ann', 'bob'), ['ann', 'bob'])
  assert.deepEqual(check(watch, 6_000), [])
})

test('a ghost that had a connection in between: its grace begins anew', () => {
  const watch = new GhostWatch(2_000)
  check(watch, 0, 'ann')
  check(watch, 1_000)
  assert.deepEqual(check(watch, 2_000, 'ann'), [])
  assert.deepEqual(check(watch, 4_000, 'ann'), ['ann'])
})
