import assert from 'node:assert/strict'
import { test } from 'node:test'
import { evidenceOf, type ProcessStory, processWith } from '../../testing/doctor/process-story.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { jobStopped } from './job-stopped.ts'

leakCheck()

const find = (story: ProcessStory) => jobStopped.find(evidenceOf([story]))
/** Windows every minute, in these seconds. */
const windows = (story: ProcessStory, fromS: number, toS: number) => {
  for (let s = fromS; s < toS; s += 60) story.span('mesh.window', s)
  return story
}

test('sweeps that stand still while censuses come: certain, since they are counted', () => {
  const [finding] = find(processWith((s) => ({ 'mesh.audit.sweeps': Math.min(24, Math.floor(s / 5)) })))
  assert.deepEqual(
    [finding?.certainty, finding?.owner.part],
    ['certain', 'sweep of the members (mesh.staleness.pruned)'],
  )
})

test('sweeps that never ran, where one is due every five seconds: certain, too', () => {
  const story = processWith(() => ({ 'mesh.audit.sweeps': 0 }), 3)
  const [finding] = find(story.span('mesh.node.started', 0, { 'mesh.node.sweep_ms': 5_000 }))
  assert.equal(finding?.certainty, 'certain')
})

test('windows that no longer come while censuses do: the finding names them', () => {
  const [finding] = find(
    windows(
      processWith(() => ({}), 20),
      10,
      600,
    ),
  )
  assert.equal(finding?.owner.part, 'mesh.window')
})

test('windows that sampling drops: nothing', () => {
  assert.deepEqual(
    find(
      windows(
        processWith(() => ({ 'mesh.telemetry.sampled_out': 7 }), 20),
        10,
        600,
      ),
    ),
    [],
  )
})

test('windows that were lost with other spans: nothing', () => {
  const story = windows(
    processWith(() => ({}), 20),
    10,
    600,
  )
  const evidence = evidenceOf([story])
  evidence.instances[0]?.seqs.add(5_000)
  assert.deepEqual(jobStopped.find(evidence), [])
})

test('spans of a part of the time were asked for: nothing', () => {
  const story = windows(
    processWith(() => ({}), 20),
    10,
    600,
  )
  assert.deepEqual(jobStopped.find(evidenceOf([story], { complete: false, partial: [] })), [])
})

test('a process that was suspended until the end: nothing', () => {
  const story = windows(
    processWith(() => ({}), 5),
    10,
    300,
  ).span('mesh.node.stalled', 900)
  assert.deepEqual(find(story), [])
})

test('all jobs run until the stop: nothing', () => {
  assert.deepEqual(
    find(
      windows(
        processWith(() => ({})),
        10,
        600,
      ).stop(610),
    ),
    [],
  )
})

const sweptEvery = (everyS: number, untilS = 600) =>
  processWith((s) => ({ 'mesh.audit.sweeps': Math.floor(Math.min(s, untilS) / everyS) }), 30)
const stated = { 'mesh.node.sweep_ms': 600_000 }

test('sweeps that are set to one in ten minutes: nothing, and certain where one of them is missing', () => {
  assert.deepEqual(find(sweptEvery(600, 1_800).span('mesh.node.started', 0, stated)), [])
  const stopped = processWith(() => ({ 'mesh.audit.sweeps': 0 }), 40).span('mesh.node.started', 0, stated)
  assert.deepEqual(
    find(stopped).map(({ certainty }) => certainty),
    ['certain'],
  )
})

test('a slow sweep of a process whose start was not read: nothing, since its count shows the interval', () => {
  assert.deepEqual(find(sweptEvery(120, 1_800)), [])
  assert.equal(find(sweptEvery(120)).length, 1)
})

test('sweeps that never ran, of a process that does not say how often it sweeps: likely', () => {
  assert.equal(find(processWith(() => ({ 'mesh.audit.sweeps': 0 }), 3))[0]?.certainty, 'likely')
})
