import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { cpuStacks } from './profiler.ts'

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

test('CPU samples: a stack gets the time until the next sample, an idle one none', () => {
  // At 1, 2, 5, 6 and 8 ms: the third sample is late.
  const sampling = { samples: [4, 4, 2, 3, 4], timeDeltas: [1_000, 1_000, 3_000, 1_000, 2_000] }
  const stacks = cpuStacks({ ...profile, ...sampling }, 0)
  const rows = stacks.map(({ frames, values }) => [frames.map(({ functionName }) => functionName).join(), ...values])
  assert.deepEqual(rows, [
    ['outer', 1, 2_000_000],
    ['inner,outer', 3, 6_000_000],
  ])
})

test('samples during the start of the profiler: are left out', () => {
  const sampling = { samples: [3, 3, 4], timeDeltas: [1_000, 4_000, 4_000] }
  const stacks = cpuStacks({ ...profile, ...sampling }, 6_000)
  assert.deepEqual(
    stacks.map(({ values }) => values),
    [[1, 1_000_000]],
  )
})
