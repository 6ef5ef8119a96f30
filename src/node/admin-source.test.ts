import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SeedView } from '../core/seed-dialler.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { whyUnconnected } from './admin-source.ts'

leakCheck()

const seeds = (...states: SeedView['state'][]) =>
  states.map((state, index) => ({ address: `/a/${index}`, state }) as SeedView)

test('a node without connections: the readiness answer explains it by the state of the seeds', () => {
  assert.match(whyUnconnected(seeds()), /no seed is configured \(MESH_SEEDS\)/)
  assert.match(whyUnconnected(seeds('waiting')), /no seed has answered$/)
  assert.match(
    whyUnconnected(seeds('self')),
    /the only seed, \/a\/0, is this node itself; set another node in MESH_SEEDS/,
  )
  assert.match(whyUnconnected(seeds('self', 'self')), /all seeds, \/a\/0 and others, are this node itself/)
  assert.match(whyUnconnected(seeds('given-up', 'self')), /\/a\/1 is this node itself, no other seed has answered/)
})
