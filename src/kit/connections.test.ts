import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Connection } from '@libp2p/interface'
import { limits } from '../core/limits.ts'
import { Owner } from '../core/owner.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { VirtualClock } from '../testing/sim/virtual-clock.ts'
import { servesApplication } from './application-use.ts'
import type { NetworkComponents } from './components.ts'
import { Connections } from './connections.ts'
import { linkProtocol } from './link-streams.ts'

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

const servesWith = (...protocols: string[]) =>
  servesApplication({ streams: protocols.map((protocol) => ({ protocol })) } as unknown as Connection)

test('a connection with a stream of an application protocol serves the application', () => {
  assert.ok(servesWith(linkProtocol, '/ipfs/bitswap/1.2.0'))
  assert.ok(servesWith('/orbitdb/heads/zdpu'))
})

test('streams of the mesh, identify, ping, gossipsub, and a negotiating one do not serve the application', () => {
  const infrastructure = [
    linkProtocol,
    '/tracemesh/request/1.0.0',
    '/ipfs/id/1.0.0',
    '/ipfs/id/push/1.0.0',
    '/ipfs/ping/1.0.0',
  ]
  assert.equal(servesWith(...infrastructure, '/meshsub/1.2.0', '/floodsub/1.0.0', '/libp2p/autonat/1.0.0', ''), false)
})
