import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { ChunkCache } from './chunk.ts'

leakCheck()

/** A cache of chunks of this size; `read` lists the cache misses. */
function fakeChunks(bytes: number) {
  const cache = new ChunkCache()
  const read: number[] = []
  const get = (id: number) =>
    cache.get(id, () => {
      read.push(id)
      return { spans: [], bytes }
    })
  return { cache, read, get }
}

test('chunk cache: retains the chunks used last, bounded in count and size', () => {
  const small = fakeChunks(1)
  for (let id = 1; id <= 65; id++) small.get(id)
  small.get(2)
  small.get(1)
  assert.deepEqual(small.read.slice(64), [65, 1])
  const large = fakeChunks(3_000_000)
  for (const id of [1, 2, 1, 3, 1, 2]) large.get(id)
  assert.deepEqual(large.read, [1, 2, 3, 2])
  const huge = fakeChunks(20_000_000)
  for (const id of [1, 1]) huge.get(id)
  assert.deepEqual(huge.read, [1, 1], 'a chunk above the bound is not cached')
})

test('a removed chunk: is read again', () => {
  const { cache, read, get } = fakeChunks(1)
  get(1)
  cache.remove(1)
  cache.remove(7)
  get(1)
  assert.deepEqual(read, [1, 1])
})
