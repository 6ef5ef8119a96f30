import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SeedView } from '../core/seed-dialler.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { whyAlone } from './admin-source.ts'

leakCheck()

const seeds = (...states: SeedView['state'][]) =>
  states.map((state, index) => ({ address: `/a/${index}`, state }) as SeedView)

test('why a node is connected to nobody is said in terms of its seeds', () => {
  assert.match(whyAlone(seeds()), /no seed is configured \(MESH_SEEDS\)/)
  assert.match(whyAlone(seeds('waiting')), /no seed has answered$/)
  assert.match(whyAlone(seeds('self')), /its only seed, \/a\/0, is this node itself; name another node in MESH_SEEDS/)
  assert.match(whyAlone(seeds('self', 'self')), /all its seeds, \/a\/0 and others, are this node itself/)
  assert.match(whyAlone(seeds('given-up', 'self')), /\/a\/1 is this node itself, no other seed has answered/)
})
