import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { cpuStacks } from './cpu.ts'

leakCheck()

const frame = (functionName: string) => ({
  functionName,
  scriptId: '1',
  url: 'file:///a.js',
  lineNumber: 0,
  columnNumber: 0,
})

const nodes = [
  { id: 1, callFrame: frame('(root)'), children: [2, 3] },
  { id: 2, callFrame: frame('(idle)') },
  { id: 3, callFrame: frame('outer'), children: [4] },
  { id: 4, callFrame: frame('inner') },
]
const profile = { nodes, startTime: 0, endTime: 10_000 }

test('a stack is worth the time until the next look, and waiting is worth none', () => {
  // At 1, 2, 5, 6 and 8 ms: the third look came late.
  const looks = { samples: [4, 4, 2, 3, 4], timeDeltas: [1_000, 1_000, 3_000, 1_000, 2_000] }
  const stacks = cpuStacks({ ...profile, ...looks }, 0)
  const seen = stacks.map(({ frames, values }) => [frames.map(({ functionName }) => functionName).join(), ...values])
  assert.deepEqual(seen, [
    ['outer', 1, 2_000_000],
    ['inner,outer', 3, 6_000_000],
  ])
})

test('what the profiler does to start is left out', () => {
  const looks = { samples: [3, 3, 4], timeDeltas: [1_000, 4_000, 4_000] }
  const stacks = cpuStacks({ ...profile, ...looks }, 6_000)
  assert.deepEqual(
    stacks.map(({ values }) => values),
    [[1, 1_000_000]],
  )
})
