import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { forAll } from '../testing/for-all.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { type Due, DueQueue } from './due-queue.ts'

leakCheck()

interface Item extends Due {
  readonly name: string
}

const item = (name: string): Item => ({ name, dueAt: Infinity, queueIndex: -1 })

test('an empty queue is never due', () => {
  const queue = new DueQueue<Item>()
  assert.equal(queue.earliest(), Infinity)
  assert.deepEqual(queue.takeDue(1e9), [])
})

test('a delayed item: its old time no longer counts; an advanced one comes first', () => {
  const queue = new DueQueue<Item>()
  const [a, b] = [item('a'), item('b')]
  queue.schedule(a, 10)
  queue.schedule(b, 20)
  queue.schedule(a, 30)
  assert.equal(queue.earliest(), 20)
  queue.schedule(a, 5)
  const due = queue.takeDue(20).map(({ name }) => name)
  assert.deepEqual(due, ['a', 'b'])
  assert.equal(queue.earliest(), Infinity, 'due items are out until scheduled anew')
})

test('any order of schedules and removals: the queue finds the same earliest item as a search of all', async (t) => {
  const steps = fc.array(
    fc.record({ of: fc.nat(7), at: fc.oneof(fc.nat(100), fc.constant(Infinity)), removes: fc.boolean() }),
    { maxLength: 60 },
  )
  await forAll({ t }, [steps], (all) => {
    const queue = new DueQueue<Item>()
    const items = Array.from({ length: 8 }, (_, index) => item(String(index)))
    const held = new Map<Item, number>()
    for (const { of, at, removes } of all) {
      const one = items[of] as Item
      if (removes) {
        queue.remove(one)
        held.delete(one)
      } else {
        queue.schedule(one, at)
        held.set(one, at)
      }
      assert.equal(queue.earliest(), Math.min(Infinity, ...held.values()))
      const due = queue.takeDue(50)
      assert.deepEqual(new Set(due), new Set([...held].filter(([, time]) => time <= 50).map(([it]) => it)))
      const times = due.map(({ dueAt }) => dueAt)
      const inOrder = times.toSorted((a, b) => a - b)
      assert.deepEqual(times, inOrder)
      for (const one of due) queue.schedule(one, one.dueAt)
    }
  })
})
