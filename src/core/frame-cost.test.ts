import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LinkedNodes } from '../testing/core/linked-nodes.ts'
import { leakCheck } from '../testing/leak-check.ts'

leakCheck()

// A search of all peers for each frame made the ratio 46. Other processes disturb it; `npm run bench -- core` measures it well.
const ratioMax = 4

test('one frame on a link costs about as much with 1,000 connections as with 10', () => {
  const [few, many] = [new LinkedNodes(100, 10), new LinkedNodes(1, 1_000)]
  const costs = Array.from({ length: 7 }, () => [few.frameCost(2_000), many.frameCost(2_000)] as const)
  const least = (of: 0 | 1) => Math.min(...costs.map((cost) => cost[of]))
  const ratio = least(1) / least(0)
  assert.ok(ratio < ratioMax, `${least(0)} and ${least(1)} us`)
})
