import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Connection, PeerId } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { limits } from '../../core/limits.ts'
import { Owner } from '../../core/owner.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { VirtualClock } from '../../testing/sim/virtual-clock.ts'
import type { NetworkComponents } from '../components.ts'
import { Connections, servesApplication } from './connections.ts'
import { linkProtocol } from './link-streams.ts'

leakCheck()

test('the links registry has room for all links of the allowed peers and of relayed ones', () => {
  const clock = new VirtualClock()
  for (const [connectionsHigh, expected] of [
    [undefined, limits.peers],
    [2, 2],
    [10_000, 10_000],
  ] as const) {
    const owner = new Owner('node', clock)
    new Connections({} as NetworkComponents, owner, clock, undefined, connectionsHigh)
    const links = owner.inventory().registries.find(({ name }) => name === 'connections')
    assert.equal(links?.capacity, (expected + limits.relayedPeers) * limits.linksPerPeer)
  }
})

const servesWith = (...protocols: string[]) =>
  servesApplication({ streams: protocols.map((protocol) => ({ protocol })) } as unknown as Connection)

test('a connection with a stream of an application protocol serves the application', () => {
  assert.ok(servesWith(linkProtocol, '/ipfs/bitswap/1.2.0'))
  assert.ok(servesWith('/orbitdb/heads/zdpu'))
  assert.ok(servesWith(linkProtocol, '/tracemesh/kad/1.0.0'))
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

describe('who opened the connections to a peer', () => {
  const peer = peerIdFromString('12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN')
  const other = peerIdFromString('12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp')
  type Opener = ReturnType<Connections['openedBy']>

  /** Opens one connection per opener, and closes them in this order, as libp2p does; returns the answer at the last. */
  function lastAnswer(openers: readonly Opener[], close: (connections: Connections, one: Connection) => void): Opener {
    const owner = new Owner('node', new VirtualClock())
    const open = new Map<string, Connection>()
    const ofPeer = (id: PeerId | undefined) => (one: Connection) => id === undefined || one.remotePeer.equals(id)
    const connectionManager = { getConnections: (id?: PeerId) => [...open.values()].filter(ofPeer(id)) }
    const connections = new Connections(
      { connectionManager } as NetworkComponents,
      owner,
      new VirtualClock(),
      undefined,
    )
    const add = (id: string, opener: Opener, remotePeer: PeerId) => {
      const direction = opener === 'peer' ? 'inbound' : 'outbound'
      open.set(id, { id, direction, remotePeer, streams: [], status: 'open' } as unknown as Connection)
      connections.getOrCreate(open.get(id) as Connection).isOurs = opener === 'mesh'
    }
    add('other', 'application', other)
    openers.forEach((opener, index) => {
      add(String(index), opener, peer)
    })
    openers.forEach((_, index) => {
      const one = open.get(String(index)) as Connection
      open.delete(one.id)
      if (index < openers.length - 1) close(connections, one)
    })
    return connections.openedBy(peer)
  }

  const cases: readonly (readonly [Opener, ...Opener[]])[] = [
    ['peer', 'peer'],
    ['mesh', 'mesh'],
    ['application', 'application'],
    ['application', 'application', 'mesh'],
    ['application', 'mesh', 'application'],
    ['application', 'application', 'peer', 'mesh'],
    ['mesh', 'mesh', 'peer'],
    ['mesh', 'peer', 'mesh'],
  ]
  for (const [expected, ...openers] of cases)
    test(`${openers.join(', then ')} closes: ${expected}`, () => {
      const onEvent = (connections: Connections, one: Connection) => connections.onClosed(one)
      const withoutEvent = (connections: Connections) => connections.reconcile()
      assert.deepEqual([lastAnswer(openers, onEvent), lastAnswer(openers, withoutEvent)], [expected, expected])
    })

  test('the application’s connection was the last, and the peer connects again: it is the peer’s', () => {
    const owner = new Owner('node', new VirtualClock())
    let open: Connection[] = []
    const connectionManager = { getConnections: () => open }
    const connections = new Connections(
      { connectionManager } as unknown as NetworkComponents,
      owner,
      new VirtualClock(),
      undefined,
    )
    for (const [id, direction] of [
      ['first', 'outbound'],
      ['second', 'inbound'],
    ]) {
      const one = { id, direction, remotePeer: peer, streams: [], status: 'open' } as unknown as Connection
      open = [one]
      connections.getOrCreate(one)
      assert.equal(connections.openedBy(peer), id === 'first' ? 'application' : 'peer')
      open = []
      connections.onClosed(one)
    }
  })
})

describe('a reading changes nothing', () => {
  const peer = peerIdFromString('12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN')
  const address = multiaddr('/ip4/10.0.0.1/tcp/1')

  /** A connection with an inbound gossip stream, on which gossipsub has no outbound one. */
  function connectionOf(id: string): Connection {
    const streams = [
      { protocol: '/meshsub/1.2.0', direction: 'inbound', status: 'open', remoteWriteStatus: 'writable' },
    ]
    const open = { status: 'open', direction: 'outbound', remotePeer: peer, remoteAddr: address, streams }
    return { id, ...open } as unknown as Connection
  }

  /** Records of the connections of a fake libp2p, which the test opens and closes. */
  function setup() {
    const owner = new Owner('node', new VirtualClock())
    let open: readonly Connection[] = []
    const connectionManager = { getConnections: () => open }
    const gossip = { pubsub: { getPeers: () => [], getSubscribers: () => [] }, topics: ['digests'] }
    const components = { connectionManager } as unknown as NetworkComponents
    const connections = new Connections(components, owner, new VirtualClock(), gossip)
    const registry = () => owner.inventory().registries.find(({ name }) => name === 'connections')
    return { connections, setOpen: (...ids: string[]) => (open = ids.map(connectionOf)), size: () => registry()?.size }
  }

  test('connectionInfos: lists a new connection; only `observe` records it, and that it lacks gossip', () => {
    const { connections, setOpen, size } = setup()
    setOpen('a')
    for (let reads = 0; reads < 2; reads++)
      assert.deepEqual(
        connections.connectionInfos().map(({ id, gossip }) => [id, gossip]),
        [['a', 'missing']],
      )
    assert.deepEqual([size(), connections.lackingGossip(Infinity)], [0, []])
    connections.observe()
    assert.deepEqual([size(), connections.lackingGossip(Infinity).length], [1, 1])
  })

  test('connectionInfos: omits a closed connection; only `observe` forgets it', () => {
    const { connections, setOpen, size } = setup()
    setOpen('a', 'b')
    connections.observe()
    setOpen('b')
    const ids = connections.connectionInfos().map(({ id }) => id)
    assert.deepEqual(ids, ['b'])
    assert.equal(size(), 2)
    connections.observe()
    assert.equal(size(), 1)
  })

  test('findReaching: a connection that the mesh left to the application stays left', () => {
    const { connections } = setup()
    const record = connections.getOrCreate(connectionOf('a'))
    Object.assign(record, { isIdentified: true, isLeftToApp: true })
    for (let reads = 0; reads < 2; reads++) assert.equal(connections.findReaching(peer, []), record)
    assert.equal(connections.isLeftToApp('a'), true)
  })
})
