import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { forAll } from '../testing/for-all.ts'
import { leakCheck } from '../testing/leak-check.ts'
import type { Via } from './member.ts'
import {
  addSighting,
  areRivals,
  conflictOf,
  isRivalRunning,
  markEmitted,
  noSightings,
  removeProcess,
  repeatSighting,
  type Sightings,
} from './sightings.ts'

leakCheck()

type Report = readonly [at: number, instance: string, via?: Via]

function addReports(reports: readonly Report[], from: Sightings = noSightings): Sightings {
  const inOrder = reports.toSorted((a, b) => a[0] - b[0])
  return inOrder.reduce(
    (before, [at, instance, via = 'link']) => addSighting(before, { instance, address: `/at/${instance}`, via }, at),
    from,
  )
}

const every = (stepMs: number, from: number, to: number, instance: string, via?: Via): Report[] =>
  Array.from({ length: Math.floor((to - from) / stepMs) + 1 }, (_, i) => [from + i * stepMs, instance, via] as Report)

test('alternating sightings of two processes: a conflict, the earlier one first', () => {
  const both = addReports([...every(2_000, 0, 20_000, 'a'), ...every(2_000, 7_000, 20_000, 'b')])
  const conflict = { peer: 'p', instances: ['a', 'b'], addresses: ['/at/a', '/at/b'] }
  assert.deepEqual(conflictOf('p', both, 20_000), conflict)
  const rivals = [areRivals(both, 'b', 'a'), areRivals(both, 'a', 'a'), areRivals(both, 'a', 'c')]
  assert.deepEqual(rivals, [true, false, false])
})

test('sightings by hellos only: a conflict once each process returned after the other', () => {
  const hellos: Report[] = [
    [0, 'a'],
    [1_000, 'b'],
    [7_000, 'a'],
  ]
  assert.equal(addReports(hellos).conflict, undefined)
  assert.notEqual(addReports([...hellos, [8_000, 'b']]).conflict, undefined)
})

test('one process on a link, another over gossip: a conflict once the gossip cannot be older', () => {
  const link = every(2_000, 0, 100_000, 'a')
  assert.equal(addReports([...link.slice(0, 8), [10_000, 'b', 'gossip']]).conflict, undefined)
  assert.notEqual(addReports([...link, [10_000, 'b', 'gossip'], [60_000, 'b', 'gossip']]).conflict, undefined)
})

test('replayed digests of the earlier process after a restart: no conflict', () => {
  const restarted = addReports(
    [...every(2_000, 0, 20_000, 'a'), ...every(2_000, 21_000, 300_000, 'b')].toSorted((x, y) => x[0] - y[0]),
  )
  for (const before of [noSightings, restarted]) {
    // A node that joined later never observed the earlier process; all digests of that are replayed in order.
    let sightings = addReports(every(2_000, 22_000, 40_000, 'b'), before)
    for (let sent = 0, at = 40_000; at < 300_000; at += 2_000) {
      sightings = addSighting(sightings, { instance: 'b', address: '', via: 'link' }, at)
      sent = Math.min(20_000, sent + 2_000)
      sightings = addSighting(sightings, { instance: 'a', address: '', via: 'gossip', ageMs: at + 1 - sent }, at + 1)
      assert.equal(sightings.conflict, undefined, `at ${at}`)
    }
  }
})

test('replayed digests of a process that ended: it does not count as running', () => {
  const both = addReports([...every(2_000, 0, 60_000, 'a'), ...every(2_000, 7_000, 60_000, 'b')])
  const later = every(2_000, 62_000, 200_000, 'b').reduce(
    (before, [at]) =>
      addSighting(
        addSighting(before, { instance: 'b', address: '', via: 'link' }, at),
        { instance: 'a', address: '', via: 'gossip', ageMs: at - 60_000 },
        at,
      ),
    both,
  )
  assert.equal(conflictOf('p', later, 200_000), undefined)
})

test('restart with late messages of the earlier process: no conflict', () => {
  const restart: Report[] = [...every(2_000, 0, 20_000, 'a'), ...every(2_000, 21_000, 90_000, 'b')]
  assert.equal(addReports([...restart, [24_000, 'a']]).conflict, undefined)
  assert.equal(addReports([...restart, [50_000, 'a', 'gossip']]).conflict, undefined)
})

test('conflict: emitted at first, and once a minute while both processes run', () => {
  let sightings = noSightings
  const emitted: number[] = []
  for (let at = 0; at <= 400_000; at += 1_000) {
    if (at < 300_000) sightings = addReports([[at, 'a']], sightings)
    if (at >= 50_000 && at < 200_000) sightings = addReports([[at, 'b']], sightings)
    const due = markEmitted(sightings, at)
    if (due !== undefined) emitted.push(at)
    sightings = due ?? sightings
  }
  // The last span covers the time from the previous one to the end of the second process.
  assert.deepEqual(emitted, [55_000, 115_000, 175_000, 235_000])
  assert.equal(conflictOf('p', sightings, 400_000), undefined)
})

test('one of the two processes stops: the conflict ends', () => {
  const both = addReports([...every(2_000, 0, 20_000, 'a'), ...every(2_000, 1_000, 20_000, 'b')])
  assert.equal(isRivalRunning(both, 'a', 20_000), true)
  assert.equal(removeProcess(both, 'a').conflict, undefined)
  assert.equal(isRivalRunning(removeProcess(both, 'a'), 'a', 20_000), false)
})

/** Longest delay of a report, below the longest time in transit. */
const maxDelayMs: Readonly<Record<Via, number>> = { link: 4_999, gossip: 29_999 }

test('any delays: processes that run one after the other are never in conflict', async (t) => {
  const report = fc.record({
    at: fc.nat(1_000),
    via: fc.constantFrom<Via>('link', 'gossip'),
    delay: fc.double({ min: 0, max: 1, noNaN: true }),
  })
  const run = fc.record({
    lengthMs: fc.integer({ min: 1, max: 120_000 }),
    reports: fc.array(report, { maxLength: 12 }),
  })
  const processes = fc.array(run, { minLength: 2, maxLength: 5 })
  await forAll({ t }, [processes], (runs) => {
    let start = 0
    const reports = runs.flatMap(({ lengthMs, reports }, index) => {
      const from = start
      start += lengthMs + 1
      return reports.map(
        ({ at, via, delay }): Report => [
          from + (at / 1_000) * lengthMs + delay * maxDelayMs[via],
          `process ${index}`,
          via,
        ],
      )
    })
    assert.equal(addReports(reports).conflict, undefined)
  })
})

test('processes of one identity: the retained number is bounded', () => {
  const all = addReports(Array.from({ length: 50 }, (_, index): Report => [index, `process ${index}`]))
  assert.equal(all.processes.length, 4)
})

test('a repeated report of the only process: the update in place equals a new sighting', async (t) => {
  const ages = fc.oneof(fc.constant(0), fc.nat(100_000))
  const report = fc.record({
    afterMs: fc.oneof(fc.nat(5_000), fc.nat(200_000)),
    instance: fc.constantFrom('a', 'a', 'a', 'b'),
    address: fc.constantFrom('/1', '/1', '/2'),
    via: fc.constantFrom<Via>('link', 'gossip'),
    ageMs: ages,
  })
  await forAll({ t }, [fc.array(report, { maxLength: 20 })], (reports) => {
    let now = 0
    let [updated, added] = [noSightings, noSightings]
    for (const { afterMs, ...one } of reports) {
      now += afterMs
      if (!repeatSighting(updated, one, now)) updated = addSighting(updated, one, now)
      added = addSighting(added, one, now)
      assert.deepEqual(updated, added)
    }
  })
})
