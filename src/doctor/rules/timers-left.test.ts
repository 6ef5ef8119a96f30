import assert from 'node:assert/strict'
import { test } from 'node:test'
import { evidenceOf, growing, processWith } from '../../testing/doctor/process-story.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { timersLeft } from './timers-left.ts'

leakCheck()

test('timers that nobody clears: found, referenced or not', () => {
  for (const key of ['mesh.audit.timers', 'mesh.audit.timers_unref']) {
    const [finding] = timersLeft.find(evidenceOf([processWith((s) => ({ [key]: 12 + growing(60)(s) }))]))
    assert.equal(finding?.owner.part, 'timers')
  }
})

test('timers of connections that come: nothing', () => {
  const story = processWith((s) => ({ 'mesh.audit.connections': s, 'mesh.audit.timers_unref': 4 + 4 * s }))
  assert.deepEqual(timersLeft.find(evidenceOf([story])), [])
})

test('timers of dials under churn: nothing', () => {
  assert.deepEqual(
    timersLeft.find(evidenceOf([processWith((s) => ({ 'mesh.audit.timers_unref': 40 + ((s * 13) % 180) }))])),
    [],
  )
})

test('timers of an application that starts: nothing', () => {
  assert.deepEqual(timersLeft.find(evidenceOf([processWith((s) => ({ 'mesh.audit.timers': Math.min(300, s) }))])), [])
})
