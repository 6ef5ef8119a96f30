import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { forAll } from '../for-all.ts'
import { leakCheck } from '../leak-check.ts'
import { VirtualClock } from './virtual-clock.ts'

leakCheck()

test('advance: moves both clocks together; without it they stand still', () => {
  const clock = new VirtualClock({ start: 5, wall: 1_000 })
  assert.deepEqual([clock.now(), clock.wall()], [5, 1_000])
  clock.advance(20)
  assert.deepEqual([clock.now(), clock.wall()], [25, 1_020])
})

test('several timers: fire at their time, in order; at the same time in order of creation', () => {
  const clock = new VirtualClock()
  const fired: string[] = []
  const record = (name: string) => () => void fired.push(`${name}@${clock.now()}`)
  clock.after(20, record('c'))
  clock.after(10, record('a'))
  clock.after(10, record('b'))
  assert.deepEqual([clock.next(), clock.pending], [10, 3])
  clock.runUntil(20)
  assert.deepEqual(fired, ['a@10', 'b@10', 'c@20'])
  assert.deepEqual([clock.next(), clock.pending, clock.now()], [Infinity, 0, 20])
})

test('a timer that creates a timer: the new one fires in the same run when due', () => {
  const clock = new VirtualClock()
  const fired: number[] = []
  const again = () => {
    fired.push(clock.now())
    clock.after(10, again)
  }
  clock.after(10, again)
  clock.advance(35)
  assert.deepEqual(fired, [10, 20, 30])
  assert.deepEqual([clock.now(), clock.next()], [35, 40])
})

test('a cancelled timer: does not fire; a second or late cancel has no effect', () => {
  const clock = new VirtualClock()
  let fired = 0
  const cancel = clock.after(10, () => fired++)
  const late = clock.after(10, () => fired++)
  cancel()
  cancel()
  assert.deepEqual([clock.pending, clock.next()], [1, 10])
  clock.advance(10)
  late()
  assert.deepEqual([fired, clock.pending], [1, 0])
})

test('a timer that throws: is used up, and the others still fire', () => {
  const clock = new VirtualClock()
  let fired = 0
  clock.after(1, () => {
    throw new Error('mine')
  })
  clock.after(2, () => fired++)
  assert.throws(() => clock.advance(5), /mine/)
  assert.deepEqual([clock.now(), clock.pending], [1, 1])
  clock.advance(1)
  assert.equal(fired, 1)
})

test('an infinite delay, an invalid time, an endless re-arm: throws', () => {
  const clock = new VirtualClock({ start: 10 })
  assert.throws(() => clock.after(Infinity, () => {}), RangeError)
  assert.throws(() => clock.runUntil(Infinity), RangeError)
  assert.throws(() => clock.runUntil(9), RangeError)
  const spin = () => void clock.after(0, spin)
  spin()
  assert.throws(() => clock.advance(1), /re-arm for ever/)
})

test('random timers, some cancelled: exactly the remaining ones fire, in order', (t) => {
  const plan = fc.array(fc.record({ ms: fc.nat({ max: 40 }), cancel: fc.boolean() }), { maxLength: 300 })
  return forAll({ t }, [plan], (timers) => {
    const clock = new VirtualClock()
    const fired: number[] = []
    const cancels = timers.map(({ ms }, index) => clock.after(ms, () => fired.push(index)))
    timers.forEach(({ cancel }, index) => {
      if (cancel) cancels[index]?.()
    })
    const remaining = timers.flatMap(({ ms, cancel }, index) => (cancel ? [] : [{ ms, index }]))
    assert.equal(clock.pending, remaining.length)
    clock.advance(40)
    assert.deepEqual(
      fired,
      remaining.sort((a, b) => a.ms - b.ms || a.index - b.index).map(({ index }) => index),
    )
  })
})
