import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Connection } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { Owner } from '../core/owner.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { VirtualClock } from '../testing/sim/virtual-clock.ts'
import { networkSuite } from '../testing/suite/network-suite.ts'
import { collectNative, realHarness } from '../testing/suite/real-world.ts'
import type { NetworkComponents, PubSub } from './components.ts'
import { Libp2pNetwork } from './libp2p-network.ts'

collectNative()
leakCheck()

networkSuite('libp2p over QUIC', realHarness('quic'))
networkSuite('libp2p over TCP', realHarness('tcp'))

test('a pubsub without events of streams: the network polls a missing one for 15 s, and no snapshot starts a poll', async () => {
  const clock = new VirtualClock()
  const owner = new Owner('node', clock)
  const events = new EventTarget()
  const peer = peerIdFromString('12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN')
  const streams = [{ protocol: '/meshsub/1.2.0', direction: 'inbound', status: 'open', remoteWriteStatus: 'writable' }]
  const shape = { id: 'c', status: 'open', direction: 'inbound', remotePeer: peer, streams }
  const connection = { ...shape, remoteAddr: multiaddr('/ip4/10.0.0.1/tcp/1') } as unknown as Connection
  const components = {
    peerId: peer,
    events,
    registrar: { handle: async () => {}, unhandle: async () => {} },
    connectionManager: { getConnections: () => [connection], getDialQueue: () => [] },
  } as unknown as NetworkComponents
  const fake = { subscribe: () => {}, unsubscribe: () => {}, getPeers: () => [], getSubscribers: () => [] }
  const pubsub = Object.assign(new EventTarget(), fake) as unknown as PubSub
  const network = new Libp2pNetwork({
    components,
    owner,
    clock,
    meshes: ['m'],
    identify: { identify: async () => {} },
    pubsub,
  })
  let changes = 0
  await network.start(() => {
    changes++
    network.observe()
  })
  assert.deepEqual([changes, clock.pending], [1, 1])
  for (let poll = 0; clock.pending > 0; poll++) {
    assert.ok(poll < 80, 'it ends after 15 s')
    clock.advance(200)
    await Promise.resolve()
  }
  assert.deepEqual([changes, network.snapshot()[0]?.gossip, clock.pending], [76, 'missing', 0])
  await owner.close()
})
