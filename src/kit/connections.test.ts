import assert from 'node:assert/strict'
import { test } from 'node:test'
import { limits } from '../core/limits.ts'
import { Owner } from '../core/owner.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { VirtualClock } from '../testing/sim/virtual-clock.ts'
import type { NetworkComponents } from './components.ts'
import { Connections } from './connections.ts'

leakCheck()

test('the links registry has room for all links of the allowed peers and of relayed ones', () => {
  const clock = new VirtualClock()
  for (const [maxPeers, expected] of [
    [undefined, limits.peers],
    [2, 2],
    [10_000, 10_000],
  ] as const) {
    const owner = new Owner('node', clock)
    new Connections({} as NetworkComponents, owner, clock, undefined, maxPeers)
    const links = owner.inventory().registries.find(({ name }) => name === 'connections')
    assert.equal(links?.capacity, (expected + limits.relayedPeers) * limits.linksPerPeer)
  }
})
