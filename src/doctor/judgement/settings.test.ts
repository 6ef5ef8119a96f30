import assert from 'node:assert/strict'
import { test } from 'node:test'
import { evidenceOf, ProcessStory } from '../../testing/doctor/process-story.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import type { Instance } from '../evidence/instance.ts'
import { settingsOf } from './settings.ts'

leakCheck()

const settings = (story: ProcessStory) => settingsOf(evidenceOf([story]).instances[0] as Instance)
const sweeping = (everyS: number) =>
  new ProcessStory('node-1').censuses(10, (s) => ({ 'mesh.audit.sweeps': Math.floor(s / everyS) }))

test('a process that says its settings at its start: these are in force, whatever it counts', () => {
  const stated = { 'mesh.node.sweep_ms': 600_000, 'mesh.node.staleness_ms': 3_600_000 }
  assert.deepEqual(settings(sweeping(5).span('mesh.node.started', 0, stated)), {
    sweepMs: 600_000,
    stalenessMs: 3_600_000,
    isSweepKnown: true,
  })
})

test('a process whose start is not in the evidence: its count of sweeps shows how often it sweeps', () => {
  assert.equal(settings(sweeping(5)).sweepMs, 5_000)
  const { sweepMs } = settings(sweeping(120))
  assert.ok(sweepMs >= 90_000 && sweepMs <= 150_000, `${sweepMs}`)
})

test('a process that shows nothing: the defaults, and that its sweep is unknown', () => {
  const expected = { sweepMs: 5_000, stalenessMs: 30_000, isSweepKnown: false }
  assert.deepEqual(settings(new ProcessStory('node-1').censuses(5, () => ({ 'mesh.audit.sweeps': 0 }))), expected)
})

test('the silence that a stalled process allows, or that members had which expired: the staleness', () => {
  const story = () => new ProcessStory('node-1').censuses(2)
  assert.equal(
    settings(story().span('mesh.node.stalled', 60, { 'mesh.stall.suspended_ms': 90_000 })).stalenessMs,
    90_000,
  )
  const expired = (ms: number) => story().span('mesh.member.expired', 60, { 'mesh.member.window_ms': ms })
  assert.equal(settings(expired(3_600_000)).stalenessMs, 3_600_000)
  // A slow peer may be silent for ten minutes under any setting.
  assert.equal(settings(expired(180_000)).stalenessMs, 30_000)
})
