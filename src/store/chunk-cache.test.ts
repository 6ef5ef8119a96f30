import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { ChunkCache } from './chunk-cache.ts'

leakCheck()

/** Reads chunks of so many bytes, and says which it had to read. */
function reading(bytes: number) {
  const cache = new ChunkCache()
  const read: number[] = []
  const get = (id: number) =>
    cache.get(id, () => {
      read.push(id)
      return { spans: [], bytes }
    })
  return { cache, read, get }
}

test('what was looked at last is held, within a count and a size', () => {
  const small = reading(1)
  for (let id = 1; id <= 65; id++) small.get(id)
  small.get(2)
  small.get(1)
  assert.deepEqual(small.read.slice(64), [65, 1])
  const large = reading(3_000_000)
  for (const id of [1, 2, 1, 3, 1, 2]) large.get(id)
  assert.deepEqual(large.read, [1, 2, 3, 2])
  const huge = reading(20_000_000)
  for (const id of [1, 1]) huge.get(id)
  assert.deepEqual(huge.read, [1, 1], 'one that is larger than all is not held')
})

test('what is gone is read anew', () => {
  const { cache, read, get } = reading(1)
  get(1)
  cache.remove(1)
  cache.remove(7)
  get(1)
  assert.deepEqual(read, [1, 1])
})
