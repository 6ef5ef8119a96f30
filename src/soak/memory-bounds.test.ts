import assert from 'node:assert/strict'
import { test } from 'node:test'
import { beginMs, evidenceOf, mib, processWith } from '../testing/doctor/process-story.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { memoryBounds } from './memory-bounds.ts'

leakCheck()

/** Two lives per second from the second minute to the eighth. */
const livesAt = (seconds: number) => 2 * Math.max(0, Math.min(seconds, 480) - 120)
const lives = Array.from({ length: 601 }, (_, second) => ({ atMs: beginMs + 1_000 * second, value: livesAt(second) }))

function heapOf(bytesAt: (lives: number, seconds: number) => number, collections = (seconds: number) => seconds) {
  const story = processWith((seconds) => ({
    'mesh.memory.heap_floor': Math.round(bytesAt(livesAt(seconds), seconds)),
    'mesh.memory.major_gcs_total': Math.floor(collections(seconds) / 30),
    'mesh.memory.major_gc_age_ms': 0,
  }))
  const [instance] = evidenceOf([story]).instances
  assert.ok(instance !== undefined)
  const [heap] = memoryBounds(instance, lives, beginMs + 60_000)
  assert.equal(heap?.kind, 'heap')
  return heap
}

/** Up to half a MiB of noise, the same every time. */
const noise = (seconds: number) => ((seconds * 7_919) % 13) * (mib / 26)

test('a heap that keeps 4 KiB of each life: the interval has it', () => {
  const { perLife } = heapOf((count, seconds) => 30 * mib + 4_096 * count + noise(seconds))
  assert.ok(perLife && perLife.low > 2_048 && perLife.low <= 4_096 && perLife.high >= 4_096, JSON.stringify(perLife))
})

test('a level heap with noise: the interval has zero, and its bound is far below what a peer costs', () => {
  const { perLife } = heapOf((_, seconds) => 30 * mib + noise(seconds))
  assert.ok(perLife && perLife.low <= 0 && perLife.high >= 0 && perLife.high < 2_048, JSON.stringify(perLife))
})

test('fewer than four collections: no bound', () => {
  const heap = heapOf(
    () => 30 * mib,
    (seconds) => Math.min(seconds, 100),
  )
  assert.equal(heap.perLife, undefined)
  assert.ok(heap.floors.length < 4)
})

test('a census 20 s after its collection: the floor belongs to the lives of the collection', () => {
  const ageMs = 20_000
  const squares = lives.map(({ atMs }, second) => ({ atMs, value: second ** 2 }))
  const story = processWith((seconds) => ({
    'mesh.memory.heap_floor': 30 * mib + 4_096 * Math.max(0, seconds - ageMs / 1_000) ** 2,
    'mesh.memory.major_gcs_total': Math.floor(seconds / 30),
    'mesh.memory.major_gc_age_ms': ageMs,
  }))
  const [instance] = evidenceOf([story]).instances
  assert.ok(instance !== undefined)
  const [heap] = memoryBounds(instance, squares, beginMs + 60_000)
  assert.ok(Math.abs((heap?.perLife?.slope ?? 0) - 4_096) < 41, JSON.stringify(heap?.perLife))
})
