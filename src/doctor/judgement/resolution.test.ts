import assert from 'node:assert/strict'
import { test } from 'node:test'
import { evidenceOf, mib, ProcessStory } from '../../testing/doctor/process-story.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { heapGrowth } from '../rules/heap-growth.ts'
import { resolutionsIn, resolutionsOf } from './resolution.ts'

leakCheck()

/** Floors with a leak of so many bytes per connection, of which one comes every second. */
const leaking = (perEvent: number, minutes = 30) =>
  evidenceOf([
    new ProcessStory('node-1').censuses(minutes, (s) => ({
      'mesh.memory.heap_floor': Math.round(38 * mib + perEvent * s),
      'mesh.audit.opened_total': s,
    })),
  ])
const heapOf = (evidence: ReturnType<typeof evidenceOf>) => {
  const [instance] = evidence.instances
  return instance && resolutionsOf(instance)[0]
}

test('half an hour of churn: bytes, per hour and per connection', () => {
  const heap = heapOf(leaking(0))
  assert.equal(heap?.bytes, 6 * mib)
  assert.ok((heap?.perEvent ?? 0) > 3_000 && (heap?.perEvent ?? 0) < 4_500)
})

test('a leak above the resolution is found, and one below is not', () => {
  const perEvent = heapOf(leaking(0))?.perEvent ?? 0
  assert.equal(heapGrowth.find(leaking(1.2 * perEvent)).length, 1)
  assert.equal(heapGrowth.find(leaking(0.8 * perEvent)).length, 0)
})

test('a short window: no leak would show, and what is missing', () => {
  assert.match(heapOf(leaking(0, 1))?.missing ?? '', /4 are needed/)
})

test('counts: the entries that would show, per hour and per connection, of the process seen for the shortest time', () => {
  const evidence = evidenceOf([
    new ProcessStory('node-1').censuses(60),
    new ProcessStory('node-2').censuses(15, (s) => ({ 'mesh.audit.opened_total': s })),
    new ProcessStory('node-3').censuses(1),
  ])
  assert.deepEqual(resolutionsIn(evidence).counts, { node: 'node-2', entries: 16, perHour: 67, perEvent: 0.02 })
  assert.equal(resolutionsIn(evidenceOf([new ProcessStory('node-3').censuses(1)])).counts, undefined)
})
