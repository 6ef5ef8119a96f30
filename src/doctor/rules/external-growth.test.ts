import assert from 'node:assert/strict'
import { test } from 'node:test'
import { evidenceOf, mib, ProcessStory, processWith } from '../../testing/doctor/process-story.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { externalGrowth } from './external-growth.ts'

leakCheck()

const withFloors = (mebibytesAt: (seconds: number) => number, minutes = 10) =>
  processWith((s) => ({ 'mesh.memory.external_floor': Math.round(mebibytesAt(s) * mib) }), minutes)

test('buffers that stay: the floor shows them, and a class of memory is all that is named', () => {
  const [finding] = externalGrowth.find(evidenceOf([withFloors((s) => 12 + s / 30)]))
  assert.equal(finding?.disease, 'external-growth')
  assert.equal(finding?.owner.part, 'buffers')
  assert.equal(finding?.growth?.unit, 'By')
})

test('buffers that stay, with a sampled heap: the function is named', () => {
  const story = withFloors((s) => 12 + s / 30).span('mesh.heap.site', 400, {
    'mesh.heap.trigger': 'external-floor',
    'mesh.heap.bytes': 9 * mib,
    'mesh.heap.share': 0.8,
    'code.function.name': 'keep',
    'code.file.path': '/app/cache.js',
    'code.line.number': 7,
  })
  assert.equal(externalGrowth.find(evidenceOf([story]))[0]?.owner.part, 'buffers of keep')
})

test('single floors with buffers that wait for the network: nothing', () => {
  assert.deepEqual(externalGrowth.find(evidenceOf([withFloors((s) => (s % 95 === 0 ? 17 : 12))])), [])
})

test('a cache of buffers that filled up: nothing', () => {
  assert.deepEqual(externalGrowth.find(evidenceOf([withFloors((s) => 12 + Math.min(40, s / 4))])), [])
})

test('memory that rises while no collection ran: nothing, since it may be garbage', () => {
  const story = new ProcessStory('node-1').censuses(10, (s) => ({
    'mesh.memory.major_gcs_total': 1,
    'mesh.memory.external': (12 + s) * mib,
  }))
  assert.deepEqual(externalGrowth.find(evidenceOf([story])), [])
})
