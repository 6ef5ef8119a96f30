import assert from 'node:assert/strict'
import { test } from 'node:test'
import { evidenceOf, ProcessStory } from '../../testing/doctor/process-story.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { incompleteShutdown } from './incomplete-shutdown.ts'

leakCheck()

const stopped = (report: Readonly<Record<string, readonly string[] | number>> = {}, delayS = 0.02) =>
  new ProcessStory('node-1').censuses(3, () => ({ 'nodejs.eventloop.delay.max': delayS })).stop(200, report)
const find = (story: ProcessStory) => incompleteShutdown.find(evidenceOf([story]))
const step = (story: ProcessStory, name: string, error: string, durationMs: number) =>
  story.span('mesh.node.step', 200, {
    'mesh.step.name': name,
    'mesh.step.error': error,
    'mesh.step.duration_ms': durationMs,
  })

test('a step that did not run, and its resource: certain', () => {
  const [finding] = find(
    stopped({ 'mesh.stop.missing': ['gossip sweep'], 'mesh.stop.held': ['timer of it'], 'mesh.stop.held_count': 1 }),
  )
  assert.equal(finding?.certainty, 'certain')
  assert.equal(finding?.owner.part, 'stop: gossip sweep')
  assert.match(finding?.summary ?? '', /did not run: gossip sweep; still held: timer of it/)
})

test('a step that throws: certain', () => {
  const story = step(stopped({ 'mesh.stop.failed': ['libp2p'] }), 'libp2p', 'TypeError: no', 4)
  assert.equal(find(story)[0]?.certainty, 'certain')
})

test('a listening socket that is left: likely', () => {
  assert.equal(find(stopped({ 'mesh.stop.left': ['Timeout (2)', 'TCPServerWrap (1)'] }))[0]?.certainty, 'likely')
})

test('libp2p takes too long on a starved machine, and nothing is left: nothing', () => {
  const timeout = 'MESH_STEP_TIMEOUT: libp2p did not finish within 1350 ms'
  assert.deepEqual(find(step(stopped({ 'mesh.stop.failed': ['libp2p'] }), 'libp2p', timeout, 1_900)), [])
})

test('the same with resources that are left: not enough evidence', () => {
  const timeout = 'MESH_STEP_TIMEOUT: libp2p did not finish within 1350 ms'
  const report = { 'mesh.stop.failed': ['libp2p'], 'mesh.stop.held': ['link protocol'], 'mesh.stop.held_count': 1 }
  assert.equal(find(step(stopped(report), 'libp2p', timeout, 1_900))[0]?.certainty, 'insufficient')
})

test('libp2p hangs on a machine with time: likely', () => {
  const timeout = 'MESH_STEP_TIMEOUT: libp2p did not finish within 1350 ms'
  const story = step(stopped({ 'mesh.stop.failed': ['libp2p'] }), 'libp2p', timeout, 1_351)
  assert.equal(find(story)[0]?.certainty, 'likely')
})

test('a step that failed on a starved machine, whose span is missing: not enough evidence', () => {
  const [finding] = find(stopped({ 'mesh.stop.failed': ['libp2p'] }, 2))
  assert.equal(finding?.certainty, 'insufficient')
  assert.match(finding?.missing ?? '', /error of the step libp2p/)
})

test('a step that failed, of which all censuses and the span are missing: not enough evidence', () => {
  const story = new ProcessStory('node-1').stop(200, { 'mesh.stop.failed': ['libp2p'] })
  assert.equal(find(story)[0]?.certainty, 'insufficient')
})

test('a step that failed on a machine with time, whose span is missing: likely', () => {
  assert.equal(find(stopped({ 'mesh.stop.failed': ['libp2p'] }))[0]?.certainty, 'likely')
})

test('another step that failed, whose span is missing: certain, since only that of libp2p may be slow', () => {
  assert.equal(find(stopped({ 'mesh.stop.failed': ['admin'] }, 2))[0]?.certainty, 'certain')
})

test('a complete stop, and a killed process: nothing', () => {
  assert.deepEqual(find(stopped()), [])
  assert.deepEqual(find(new ProcessStory('node-1').censuses(3)), [])
})
