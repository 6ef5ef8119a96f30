import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { WorkQueue } from './work-queue.ts'

leakCheck()

/** A queue whose work ends when the test says so. */
function queueOf(atOnce: number, waiting: number, waitingBytes = 1_000) {
  const begun: number[] = []
  const ends: (() => void)[] = []
  const queue = new WorkQueue<number>({ concurrency: atOnce, waiting, waitingBytes }, (item) => {
    begun.push(item)
    return new Promise((resolve) => ends.push(resolve))
  })
  const end = async () => {
    ends.shift()?.()
    await new Promise((resolve) => setImmediate(resolve))
  }
  return { queue, begun, end }
}

test('so much is under way, the rest waits and is begun in its order', async () => {
  const { queue, begun, end } = queueOf(2, 10)
  for (const item of [1, 2, 3, 4, 5]) assert.equal(queue.add(item, 1), undefined)
  assert.deepEqual(begun, [1, 2])
  await end()
  assert.deepEqual(begun, [1, 2, 3])
  for (let left = 0; left < 4; left++) await end()
  assert.deepEqual(begun, [1, 2, 3, 4, 5])
  queue.add(6, 1)
  assert.equal(begun.at(-1), 6, 'with nothing waiting it is begun at once')
})

test('what is too much to wait is not taken on, and its bound is named', async () => {
  const { queue, begun, end } = queueOf(1, 2, 100)
  queue.add(1, 60)
  assert.equal(queue.add(2, 60), undefined)
  assert.equal(queue.add(3, 60), 'waitingBytes')
  assert.equal(queue.add(4, 40), undefined)
  assert.equal(queue.add(5, 0), 'waiting')
  await end()
  assert.equal(queue.add(6, 60), undefined, 'what is begun waits no longer')
  await end()
  await end()
  assert.deepEqual(begun, [1, 2, 4, 6])
})
