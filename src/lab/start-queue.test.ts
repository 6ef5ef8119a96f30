import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { StartQueue } from './start-queue.ts'

leakCheck()

test('eight starts: four run at once, the next follows one that is done, none starts after close', async () => {
  const queue = new StartQueue()
  const begun: PromiseWithResolvers<void>[] = []
  const start = () => {
    const one = Promise.withResolvers<void>()
    begun.push(one)
    return one.promise
  }
  for (let index = 0; index < 8; index++) queue.add(start)
  assert.equal(begun.length, 4)
  begun[0]?.resolve()
  await new Promise(setImmediate)
  assert.equal(begun.length, 5)
  const closed = queue.close()
  for (const one of begun) one.resolve()
  await closed
  queue.add(start)
  assert.equal(begun.length, 5)
  await queue.close()
})
