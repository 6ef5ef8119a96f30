import assert from 'node:assert/strict'
import { test } from 'node:test'
import { evidenceOf, mib, ProcessStory } from '../../testing/doctor/process-story.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import type { Instance } from '../evidence/instance.ts'
import { floorsOf, judgeMemory, memoryOf } from './memory-floors.ts'

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
  assert.equal(judgeMemory(instance, memoryOf(instance, 'heap')).is, 'level')
})

test('a rise above it: a leak, within three minutes', () => {
  const instance = instanceWith(
    (s) => ({
      'mesh.memory.major_gcs_total': Math.floor(s / 20),
      'mesh.memory.heap_floor': Math.round((36 + s / 6) * mib),
    }),
    3,
  )
  assert.equal(judgeMemory(instance, memoryOf(instance, 'heap')).is, 'rises')
})

/** A collection every 50 s, and what is in use at each census. */
const rare = (floorAt: (seconds: number) => number, inUseAt: (seconds: number) => number) =>
  instanceWith(
    (s) => ({
      'mesh.memory.major_gcs_total': 1 + Math.floor(s / 50),
      'mesh.memory.heap_floor': Math.round(floorAt(50 * Math.floor(s / 50)) * mib),
      'v8js.memory.heap.used': Math.round(inUseAt(s) * mib),
    }),
    2.4,
  )
const judge = (instance: Instance) => judgeMemory(instance, memoryOf(instance, 'heap')).is

test('three floors that rise, and what is in use with them until the end: a leak', () => {
  const leaking = rare(
    (s) => 20 + s / 5,
    (s) => 22 + s / 4,
  )
  assert.equal(floorsOf(leaking, 'heap').length, 3)
  assert.equal(judge(leaking), 'rises')
})

for (const [situation, instance] of Object.entries({
  'what is in use stays': rare(
    (s) => 20 + s / 5,
    (s) => 40 + ((s - 5) % 60) / 10,
  ),
  'they rise as in a warm-up, and what is in use is garbage': rare(
    (s) => 20 + s / 20,
    (s) => 22 + s / 4,
  ),
  'they stay, and what is in use is garbage': rare(
    () => 20,
    (s) => 22 + s / 4,
  ),
}))
  test(`three floors, ${situation}: no leak`, () => assert.notEqual(judge(instance), 'rises'))
