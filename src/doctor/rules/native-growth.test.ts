import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cleanCounts, evidenceOf, mib, type ProcessStory, processWith } from '../../testing/doctor/process-story.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { nativeGrowth } from './native-growth.ts'

leakCheck()

const withMemory = (mebibytesAt: (seconds: number) => number, minutes = 20) =>
  processWith((s) => ({ 'process.memory.usage': Math.round(mebibytesAt(s) * mib) }), minutes)
const find = (story: ProcessStory) => nativeGrowth.find(evidenceOf([story]))

test('resident memory that rises without heap and buffers: native', () => {
  const [finding] = find(withMemory((s) => 136 + s / 8))
  assert.deepEqual([finding?.disease, finding?.owner.part], ['native-growth', 'native memory'])
})

test('resident memory that rises with buffers: nothing', () => {
  const story = processWith(
    (s) => ({ 'process.memory.usage': (136 + s / 8) * mib, 'mesh.memory.external': (12 + s / 8) * mib }),
    20,
  )
  assert.deepEqual(find(story), [])
})

test('pages that malloc retains, as in a clean node: nothing', () => {
  assert.deepEqual(find(withMemory((s) => 136 + s / 40)), [])
})

test('256 MiB at once: nothing', () => {
  assert.deepEqual(find(withMemory((s) => (s < 300 ? 136 : 392))), [])
})

test('a mesh that scales out to 200 peers, each with its part of the memory: nothing', () => {
  const story = processWith((s) => {
    const connections = 4 + Math.round(s / 6)
    return { ...cleanCounts({ connections }), 'process.memory.usage': Math.round((136 + 0.6 * connections) * mib) }
  }, 20)
  assert.deepEqual(find(story), [])
})
