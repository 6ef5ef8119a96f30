import assert from 'node:assert/strict'
import { test } from 'node:test'
import { evidenceOf, processWith } from '../../testing/doctor/process-story.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import type { Instance } from '../evidence/instance.ts'
import { riseOf } from './growth.ts'
import { broughtBy, connections } from './load.ts'

leakCheck()

/** What the connections bring, at one each, while a count rises by one each second. */
function brought(connectionsAt: (seconds: number) => number): number {
  const story = processWith((s) => ({ 'mesh.audit.connections': Math.round(connectionsAt(s)) }))
  const instance = evidenceOf([story]).instances[0] as Instance
  const points = instance.series('mesh.audit.connections')?.points() ?? []
  const rise = riseOf(
    points.map(({ atMs }, index) => ({ atMs, value: 30 * index })),
    16,
  )
  assert.ok(rise)
  return broughtBy(instance, rise, [{ ...connections, per: 1 }])
}

test('peers that join all the time: they bring what they are', () => {
  assert.equal(
    brought((s) => 4 + s / 6),
    95,
  )
})

for (const [situation, connectionsAt] of Object.entries({
  'peers that stay': () => 100,
  'peers that come and go': (s: number) => 40 + 30 * Math.sin(s / 40),
  'a step': (s: number) => (s < 300 ? 4 : 200),
  'a few more of many': (s: number) => 400 + s / 30,
}))
  test(`${situation}: they bring nothing`, () => assert.equal(brought(connectionsAt), 0))
