import assert from 'node:assert/strict'
import { test } from 'node:test'
import { evidenceOf, processWith } from '../../testing/doctor/process-story.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { telemetryGrowth } from './telemetry-growth.ts'

leakCheck()

const find = (queuedAt: (seconds: number) => number) =>
  telemetryGrowth.find(evidenceOf([processWith((s) => ({ 'mesh.telemetry.queued': queuedAt(s) }))]))

test('a queue that grows while spans arrive: likely', () => {
  assert.equal(find((s) => 20 * s)[0]?.disease, 'telemetry-growth')
})

test('a queue that the receiver empties after its pause: nothing', () => {
  assert.deepEqual(
    find((s) => (s < 400 ? 20 * s : 9)),
    [],
  )
})

test('a queue with the spans of a busy second: nothing', () => {
  assert.deepEqual(
    find((s) => (37 * s) % 600),
    [],
  )
})
