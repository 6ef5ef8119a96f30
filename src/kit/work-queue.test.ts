import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { WorkQueue } from './work-queue.ts'

leakCheck()

/** A queue whose work the test ends. */
function queueOf(concurrency: number, waiting: number, waitingBytes = 1_000) {
  const started: number[] = []
  const ends: (() => void)[] = []
  const queue = new WorkQueue<number>({ concurrency, waiting, waitingBytes }, (item) => {
    started.push(item)
    return new Promise((resolve) => ends.push(resolve))
  })
  const end = async () => {
    ends.shift()?.()
    await new Promise((resolve) => setImmediate(resolve))
  }
  return { queue, started, end }
}

test('items above the concurrency wait, and start in order', async () => {
  const { queue, started, end } = queueOf(2, 10)
  for (const item of [1, 2, 3, 4, 5]) assert.equal(queue.add(item, 1), undefined)
  assert.deepEqual(started, [1, 2])
  await end()
  assert.deepEqual(started, [1, 2, 3])
  for (let left = 0; left < 4; left++) await end()
  assert.deepEqual(started, [1, 2, 3, 4, 5])
  queue.add(6, 1)
  assert.equal(started.at(-1), 6, 'an empty queue starts it at once')
})

test('an item above a bound is rejected, and the bound is named', async () => {
  const { queue, started, end } = queueOf(1, 2, 100)
  queue.add(1, 60)
  assert.equal(queue.add(2, 60), undefined)
  assert.equal(queue.add(3, 60), 'waitingBytes')
  assert.equal(queue.add(4, 40), undefined)
  assert.equal(queue.add(5, 0), 'waiting')
  await end()
  assert.equal(queue.add(6, 60), undefined, 'a started item frees its place')
  await end()
  await end()
  assert.deepEqual(started, [1, 2, 4, 6])
})
