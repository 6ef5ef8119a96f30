import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SeedView } from '../core/seed-dialler.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { whyUnconnected } from './admin-source.ts'

leakCheck()

const seeds = (...states: SeedView['state'][]) =>
  states.map((state, index) => ({ address: `/a/${index}`, state }) as SeedView)

test('why a node is connected to nobody is said in terms of its seeds', () => {
  assert.match(whyUnconnected(seeds()), /no seed is configured \(MESH_SEEDS\)/)
  assert.match(whyUnconnected(seeds('waiting')), /no seed has answered$/)
  assert.match(
    whyUnconnected(seeds('self')),
    /its only seed, \/a\/0, is this node itself; name another node in MESH_SEEDS/,
  )
  assert.match(whyUnconnected(seeds('self', 'self')), /all its seeds, \/a\/0 and others, are this node itself/)
  assert.match(whyUnconnected(seeds('given-up', 'self')), /\/a\/1 is this node itself, no other seed has answered/)
})
