import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cleanCounts, evidenceOf, mib, type ProcessStory, processWith } from '../../testing/doctor/process-story.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { heapGrowth } from './heap-growth.ts'

leakCheck()

const withFloors = (mebibytesAt: (seconds: number) => number, minutes = 20) =>
  processWith((s) => ({ 'mesh.memory.heap_floor': Math.round(mebibytesAt(s) * mib) }), minutes)
const find = (story: ProcessStory) => heapGrowth.find(evidenceOf([story]))

test('objects that stay: the floor rises, per hour and per connection that came', () => {
  const story = processWith(
    (s) => ({ 'mesh.memory.heap_floor': (38 + s / 60) * mib, 'mesh.audit.opened_total': s }),
    20,
  )
  const [finding] = find(story)
  assert.equal(finding?.certainty, 'likely')
  assert.ok(Math.abs((finding?.growth?.perHour ?? 0) - 60 * mib) < 3 * mib)
  assert.ok(Math.abs((finding?.growth?.perEvent ?? 0) - mib / 60) < 2_000)
})

test('a leak within the noise of the floors: nothing', () => {
  assert.deepEqual(find(withFloors((s) => 38 + s / 600 + ((s / 5) % 4))), [])
})

test('a leak that stops: nothing', () => {
  assert.deepEqual(find(withFloors((s) => 38 + Math.min(20, s / 20))), [])
})

test('the warm-up of a process: nothing', () => {
  assert.deepEqual(find(withFloors((s) => 37 + Math.min(8, s / 12), 3)), [])
})

test('a sawtooth of the heap between collections: nothing', () => {
  assert.deepEqual(find(processWith((s) => ({ 'v8js.memory.heap.used': (40 + ((s / 6) % 30)) * mib }), 20)), [])
})

test('a rise over three floors: not enough evidence, and what is missing', () => {
  const [finding] = find(withFloors((s) => 38 + s, 2.2))
  assert.equal(finding?.certainty, 'insufficient')
  assert.match(finding?.missing ?? '', /longer window/)
})

const scaledOut = (kibibytesEach: number) =>
  processWith((s) => {
    const connections = 4 + Math.round(s / 6)
    const bytes = 37 * mib + connections * kibibytesEach * 1_024
    return { ...cleanCounts({ connections }), 'mesh.memory.heap_floor': bytes }
  }, 20)

test('a mesh that scales out from 4 to 200 peers, each with its part of the heap: nothing', () => {
  assert.deepEqual(find(scaledOut(41)), [])
  assert.deepEqual(find(scaledOut(200)), [])
})

test('the same with far more for each peer than any needs: likely', () => {
  assert.deepEqual(
    find(scaledOut(1_500)).map(({ certainty }) => certainty),
    ['likely'],
  )
})

test('messages that come faster and faster, which gossipsub remembers: nothing, and likely where their number stays', () => {
  const withSeen = (seenAt: (seconds: number) => number) =>
    processWith(
      (s) => ({ 'mesh.memory.heap_floor': Math.round((38 + s / 60) * mib), 'mesh.audit.gossip.seen': seenAt(s) }),
      20,
    )
  assert.deepEqual(find(withSeen((s) => 1_000 + 10 * s)), [])
  assert.equal(find(withSeen(() => 13_000)).length, 1)
})

test('a cache that fills ever more slowly: nothing', () => {
  assert.deepEqual(find(withFloors((s) => 40 + 50 * (1 - Math.exp(-s / 360)), 15)), [])
})
