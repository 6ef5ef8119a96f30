import assert from 'node:assert/strict'
import { test } from 'node:test'
import { evidenceOf, mib, ProcessStory } from '../../testing/doctor/process-story.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import type { Instance } from '../evidence/instance.ts'
import { floorsOf, heapBounds, judgeFloors } from './memory-floors.ts'

leakCheck()

const instanceWith = (countsAt: Parameters<ProcessStory['censuses']>[1], minutes = 4) =>
  evidenceOf([new ProcessStory('node-1').censuses(minutes, countsAt)]).instances[0] as Instance

test('two censuses after one collection: one floor, at the time of the collection', () => {
  const floors = floorsOf(
    instanceWith((s) => ({
      'mesh.memory.major_gcs_total': Math.floor(s / 60),
      'mesh.memory.heap_floor': 40 * mib + Math.floor(s / 60),
      'mesh.memory.major_gc_age_ms': 1_000 * (s % 60),
    })),
    'heap',
  )
  const [first, second, third] = floors.map(({ atMs }) => atMs)
  assert.equal(floors.length, 4)
  assert.deepEqual([(second ?? 0) - (first ?? 0), (third ?? 0) - (second ?? 0)], [60_000, 60_000])
})

test('a rise within the warm-up, below its bound: level', () => {
  const instance = instanceWith(
    (s) => ({
      'mesh.memory.major_gcs_total': Math.floor(s / 20),
      'mesh.memory.heap_floor': Math.round((36 + s / 15) * mib),
    }),
    3,
  )
  assert.equal(judgeFloors(instance, floorsOf(instance, 'heap'), heapBounds).is, 'level')
})

test('a rise above it: a leak, within three minutes', () => {
  const instance = instanceWith(
    (s) => ({
      'mesh.memory.major_gcs_total': Math.floor(s / 20),
      'mesh.memory.heap_floor': Math.round((36 + s / 6) * mib),
    }),
    3,
  )
  assert.equal(judgeFloors(instance, floorsOf(instance, 'heap'), heapBounds).is, 'rises')
})
