import assert from 'node:assert/strict'
import { test } from 'node:test'
import { evidenceOf, processWith } from '../../testing/doctor/process-story.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { busyAlone } from './busy-alone.ts'

leakCheck()

const alone = { 'mesh.audit.connections': 0 }

test('a process that computes without a peer: the finding has its share of a CPU', () => {
  const [finding] = busyAlone.find(evidenceOf([processWith((s) => ({ ...alone, 'process.cpu.time': 0.9 * s }))]))
  assert.equal(finding?.disease, 'busy-alone')
  assert.match(finding?.summary ?? '', /90 % of a CPU/)
})

test('a node that waits alone for its seed: nothing', () => {
  assert.deepEqual(
    busyAlone.find(evidenceOf([processWith((s) => ({ ...alone, 'process.cpu.time': 3 + 0.02 * s }))])),
    [],
  )
})

test('a busy node with peers: nothing', () => {
  assert.deepEqual(busyAlone.find(evidenceOf([processWith((s) => ({ 'process.cpu.time': 0.9 * s }))])), [])
})

test('a node that was alone, and has peers again: nothing', () => {
  const story = processWith((s) => ({ 'mesh.audit.connections': s < 500 ? 0 : 3, 'process.cpu.time': 0.9 * s }))
  assert.deepEqual(busyAlone.find(evidenceOf([story])), [])
})

test('the start of a process: nothing', () => {
  const story = processWith((s) => ({ ...alone, 'process.cpu.time': Math.min(s, 20) }), 3)
  assert.deepEqual(busyAlone.find(evidenceOf([story])), [])
})

const creeping = (s: number) => ({ 'process.cpu.time': 3 + (s * s) / 1_500 })

test('a process that computes more and more with the same peers: the finding has both shares', () => {
  const [finding] = busyAlone.find(evidenceOf([processWith(creeping)]))
  assert.match(finding?.summary ?? '', /rose from \d+ % to \d+ %/)
})

test('the same while it exchanges more frames: nothing', () => {
  const story = processWith((s) => ({ ...creeping(s), 'mesh.audit.frames_in': s * s }))
  assert.deepEqual(busyAlone.find(evidenceOf([story])), [])
})

test('the same while peers join: nothing', () => {
  const story = processWith((s) => ({ ...creeping(s), 'mesh.audit.connections': s / 10 }))
  assert.deepEqual(busyAlone.find(evidenceOf([story])), [])
})

test('a process that computes more and more without a sign of the mesh: not enough evidence, it may be the application', () => {
  const [finding] = busyAlone.find(evidenceOf([processWith(creeping)]))
  assert.equal(finding?.certainty, 'insufficient')
  assert.match(finding?.missing ?? '', /the application may compute more/)
})

test('the same while dials become more: likely', () => {
  const story = processWith((s) => ({ ...creeping(s), 'mesh.audit.dial_queue': Math.round(s / 20) }))
  assert.equal(busyAlone.find(evidenceOf([story]))[0]?.certainty, 'likely')
})
