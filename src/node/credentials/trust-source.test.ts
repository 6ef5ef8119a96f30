import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../../testing/leak-check.ts'
import { VirtualClock } from '../../testing/sim/virtual-clock.ts'
import { createSecret } from './mesh-secret.ts'
import { trustSource } from './trust-source.ts'

leakCheck()

test('a node that signs for itself: the same credential at each reading, another one after half a day', async () => {
  const clock = new VirtualClock()
  const { read } = trustSource({ secret: createSecret() }, { peer: 'p', meshes: ['a'], role: 'seed' }, clock)
  const first = await read()
  clock.advance(60_000)
  assert.deepEqual((await read()).own, first.own)
  clock.advance(12 * 3_600_000)
  assert.notDeepEqual((await read()).own, first.own)
})
