import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { leakCheck } from '../testing/leak-check.ts'
import type { Via } from './member.ts'
import {
  areRivals,
  conflictOf,
  emitDue,
  noSightings,
  rivalRuns,
  type Sightings,
  sighted,
  stopped,
} from './sightings.ts'

leakCheck()

type Word = readonly [at: number, instance: string, via?: Via]

function hear(words: readonly Word[], from: Sightings = noSightings): Sightings {
  const inOrder = words.toSorted((a, b) => a[0] - b[0])
  return inOrder.reduce(
    (before, [at, instance, via = 'link']) => sighted(before, { instance, address: `/at/${instance}`, via }, at),
    from,
  )
}

const every = (stepMs: number, from: number, to: number, instance: string, via?: Via): Word[] =>
  Array.from({ length: Math.floor((to - from) / stepMs) + 1 }, (_, i) => [from + i * stepMs, instance, via] as Word)

test('two processes that are heard by turns are in conflict, the earlier one named first', () => {
  const both = hear([...every(2_000, 0, 20_000, 'a'), ...every(2_000, 7_000, 20_000, 'b')])
  const conflict = { peer: 'p', instances: ['a', 'b'], addresses: ['/at/a', '/at/b'] }
  assert.deepEqual(conflictOf('p', both, 20_000), conflict)
  assert.deepEqual(
    [areRivals(both, 'b', 'a'), areRivals(both, 'a', 'a'), areRivals(both, 'a', 'c')],
    [true, false, false],
  )
})

test('processes that are seen by their hellos alone are in conflict when each comes back after the other', () => {
  const hellos: Word[] = [
    [0, 'a'],
    [1_000, 'b'],
    [7_000, 'a'],
  ]
  assert.equal(hear(hellos).conflict, undefined)
  assert.notEqual(hear([...hellos, [8_000, 'b']]).conflict, undefined)
})

test('one process on a link and another over gossip are in conflict once gossip cannot be of before', () => {
  const link = every(2_000, 0, 100_000, 'a')
  assert.equal(hear([...link.slice(0, 8), [10_000, 'b', 'gossip']]).conflict, undefined)
  assert.notEqual(hear([...link, [10_000, 'b', 'gossip'], [60_000, 'b', 'gossip']]).conflict, undefined)
})

test('digests of the earlier process that somebody sends again after a restart are no conflict', () => {
  const restarted = hear(
    [...every(2_000, 0, 20_000, 'a'), ...every(2_000, 21_000, 300_000, 'b')].toSorted((x, y) => x[0] - y[0]),
  )
  for (const forgetful of [noSightings, restarted]) {
    // A node that joined later has not heard the earlier process; all of its digests are sent again, in their order.
    let sightings = hear(every(2_000, 22_000, 40_000, 'b'), forgetful)
    for (let sent = 0, at = 40_000; at < 300_000; at += 2_000) {
      sightings = sighted(sightings, { instance: 'b', address: '', via: 'link' }, at)
      sent = Math.min(20_000, sent + 2_000)
      sightings = sighted(sightings, { instance: 'a', address: '', via: 'gossip', ageMs: at + 1 - sent }, at + 1)
      assert.equal(sightings.conflict, undefined, `at ${at}`)
    }
  }
})

test('a process that has ended does not seem to run because its digests are sent again', () => {
  const both = hear([...every(2_000, 0, 60_000, 'a'), ...every(2_000, 7_000, 60_000, 'b')])
  const later = every(2_000, 62_000, 200_000, 'b').reduce(
    (before, [at]) =>
      sighted(
        sighted(before, { instance: 'b', address: '', via: 'link' }, at),
        { instance: 'a', address: '', via: 'gossip', ageMs: at - 60_000 },
        at,
      ),
    both,
  )
  assert.equal(conflictOf('p', later, 200_000), undefined)
})

test('a restart is no conflict: what the earlier process had said may still arrive', () => {
  const restart: Word[] = [...every(2_000, 0, 20_000, 'a'), ...every(2_000, 21_000, 90_000, 'b')]
  assert.equal(hear([...restart, [24_000, 'a']]).conflict, undefined)
  assert.equal(hear([...restart, [50_000, 'a', 'gossip']]).conflict, undefined)
})

test('a conflict is emitted at first, and once a minute while both are heard', () => {
  let sightings = noSightings
  const emitted: number[] = []
  for (let at = 0; at <= 400_000; at += 1_000) {
    if (at < 300_000) sightings = hear([[at, 'a']], sightings)
    if (at >= 50_000 && at < 200_000) sightings = hear([[at, 'b']], sightings)
    const due = emitDue(sightings, at)
    if (due !== undefined) emitted.push(at)
    sightings = due ?? sightings
  }
  // The last one is of the time between the one before and the end of the second process.
  assert.deepEqual(emitted, [55_000, 115_000, 175_000, 235_000])
  assert.equal(conflictOf('p', sightings, 400_000), undefined)
})

test('the conflict ends when one of the two says that it stops', () => {
  const both = hear([...every(2_000, 0, 20_000, 'a'), ...every(2_000, 1_000, 20_000, 'b')])
  assert.equal(rivalRuns(both, 'a', 20_000), true)
  assert.equal(stopped(both, 'a').conflict, undefined)
  assert.equal(rivalRuns(stopped(both, 'a'), 'a', 20_000), false)
})

/** How late a word arrives, at most; less than what counts as under way. */
const late: Readonly<Record<Via, number>> = { link: 4_999, gossip: 29_999 }

test('however words are delayed: processes that run one after the other are never in conflict', () => {
  const word = fc.record({
    at: fc.nat(1_000),
    via: fc.constantFrom<Via>('link', 'gossip'),
    delay: fc.double({ min: 0, max: 1, noNaN: true }),
  })
  const run = fc.record({ lengthMs: fc.integer({ min: 1, max: 120_000 }), words: fc.array(word, { maxLength: 12 }) })
  const lives = fc.array(run, { minLength: 2, maxLength: 5 })
  fc.assert(
    fc.property(lives, (runs) => {
      let start = 0
      const words = runs.flatMap(({ lengthMs, words }, index) => {
        const from = start
        start += lengthMs + 1
        return words.map(
          ({ at, via, delay }): Word => [from + (at / 1_000) * lengthMs + delay * late[via], `process ${index}`, via],
        )
      })
      assert.equal(hear(words).conflict, undefined)
    }),
  )
})

test('processes remembered for one identity are bounded', () => {
  const many = hear(Array.from({ length: 50 }, (_, index): Word => [index, `process ${index}`]))
  assert.equal(many.seen.length, 4)
})
