import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { forAll } from '../testing/for-all.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { HandshakeWatch } from './handshake-watch.ts'

leakCheck()

const everyMs = 1_000

/** Reports of a listener with these counts, one sample a second; each with its second. */
function reportsOf(counts: readonly (readonly [accepted: number, finished: number])[]) {
  const watch = new HandshakeWatch()
  return counts.flatMap(([accepted, finished], second) => {
    const report = watch.observe({ accepted, finished }, second * everyMs)
    return report === undefined ? [] : [{ second, ...report }]
  })
}

test('one handshake that does not finish: reported once after 4 s, and again while it lasts', () => {
  const reports = reportsOf(Array.from({ length: 45 }, (_, second) => [second < 3 ? 0 : 1, 0] as const))
  assert.deepEqual(reports, [
    { second: 7, count: 1, atLeastMs: 4_000 },
    { second: 37, count: 1, atLeastMs: 4_000 },
  ])
})

test('further ones: reported when the number grows, and anew after all have ended', () => {
  const stalled = (accepted: number, finished: number, seconds: number) =>
    Array.from({ length: seconds }, () => [accepted, finished] as const)
  const reports = reportsOf([...stalled(1, 0, 6), ...stalled(3, 0, 6), ...stalled(3, 3, 6), ...stalled(4, 3, 6)])
  assert.deepEqual(
    reports.map(({ second, count }) => [second, count]),
    [
      [4, 1],
      [10, 3],
      [22, 1],
    ],
  )
})

test('a busy listener whose handshakes finish within 3 s: no report', (t) =>
  forAll({ t }, [fc.array(fc.nat({ max: 50 }), { minLength: 10, maxLength: 60 })], (arrivals) => {
    let total = 0
    const accepted = arrivals.map((count) => (total += count))
    const counts = accepted.map((count, second) => [count, accepted[second - 3] ?? 0] as const)
    assert.deepEqual(reportsOf(counts), [])
  }))

test('a clock that stood still for a minute: what was accepted before it and not read since is not yet stalled', () => {
  const watch = new HandshakeWatch()
  assert.equal(watch.observe({ accepted: 0, finished: 0 }, 0), undefined)
  assert.equal(watch.observe({ accepted: 5, finished: 0 }, 60_000), undefined)
  assert.equal(watch.observe({ accepted: 5, finished: 5 }, 61_000), undefined)
})
