import assert from 'node:assert/strict'
import { afterEach, beforeEach, suite, test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import type { SpanEffect } from '../../catalogue/span-effect.ts'
import type { AddressInputs, NetworkInterface } from '../../core/own-addresses.ts'
import { Owner } from '../../core/owner.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { VirtualClock } from '../../testing/sim/virtual-clock.ts'
import type { TracemeshComponents } from '../components.ts'
import { AddressWatch, announceFilter, listeningAddresses } from './address-watch.ts'

leakCheck()

const peer = '12D3KooWHUa9xPfA2Ny6AhxhaYkvLrysVpGvMFm4YNNa8JKtMUQn'
const eth0 = (address: string): NetworkInterface => ({ name: 'eth0', address, isBridge: false })
const listen = '/ip4/0.0.0.0/tcp/4001'
const relayed = `/ip4/45.79.10.9/tcp/4001/p2p/12D3KooWGRUVh7vGgNMGkAbBhRZVkYhpaiRkYkzyTJbYWbH3Wjvn/p2p-circuit/p2p/${peer}`

suite('own addresses follow the interfaces', () => {
  let clock: VirtualClock
  let owner: Owner
  let interfaces: NetworkInterface[]
  let filter: ((addresses: ReturnType<typeof multiaddr>[]) => ReturnType<typeof multiaddr>[]) | undefined
  let changes: number
  let patches: string[][]
  let spans: SpanEffect[]
  let computations: number
  let events: EventTarget
  let observed: AddressInputs['observed']

  beforeEach(() => {
    clock = new VirtualClock()
    owner = new Owner('t', clock)
    interfaces = [eth0('45.79.10.1')]
    filter = undefined
    changes = 0
    patches = []
    spans = []
    computations = 0
    events = new EventTarget()
    observed = []
  })
  afterEach(async () => {
    await owner.close()
  })

  function start(): AddressWatch {
    const components = {
      peerId: peerIdFromString(peer),
      events,
      addressManager: {
        announceFilter: filter,
        getListenAddrs: () => [multiaddr(listen)],
        getAnnounceAddrs: () => [],
        getAddresses: () => filter?.([multiaddr(listen), multiaddr(relayed)]) ?? [],
        getAddressesWithMetadata: () => [],
      },
      transportManager: { getListeners: () => [{ getAddrs: () => [] }] },
      peerStore: {
        patch: async (_: unknown, { multiaddrs }: { multiaddrs: unknown[] }) =>
          void patches.push(multiaddrs.map(String)),
      },
    } as unknown as TracemeshComponents
    const watch = new AddressWatch({
      components,
      owner,
      clock,
      interfaces: () => interfaces,
      sourceAddress: async () => undefined,
      remotes: () => [],
      observed: () => observed,
      onChange: () => void changes++,
      onListening: () => void computations++,
      emitSpan: (span) => void spans.push(span),
    })
    watch.start()
    return watch
  }

  test('a renumbered interface: the new address is announced within 5 s, and the span names both', () => {
    const watch = start()
    assert.deepEqual(watch.announced(), [`/ip4/45.79.10.1/tcp/4001/p2p/${peer}`])
    interfaces = [eth0('45.79.10.7')]
    clock.advance(5_000)
    assert.deepEqual(watch.announced(), [`/ip4/45.79.10.7/tcp/4001/p2p/${peer}`])
    assert.equal(changes, 2)
    const { attributes } = spans.at(-1) as Extract<SpanEffect, { span: 'mesh.address.changed' }>
    assert.deepEqual(attributes['mesh.address.added'], ['/ip4/45.79.10.7/tcp/4001'])
    assert.deepEqual(attributes['mesh.address.removed'], ['/ip4/45.79.10.1/tcp/4001'])
  })

  test('a reading between two polls: the current addresses, and no announcement', () => {
    const watch = start()
    const before = watch.announced()
    interfaces = [eth0('45.79.10.7')]
    for (let reads = 0; reads < 2; reads++)
      assert.deepEqual(watch.announced(watch.addresses), [`/ip4/45.79.10.7/tcp/4001/p2p/${peer}`])
    assert.deepEqual(watch.announced(), before, 'digests and identify follow at the next poll')
    assert.deepEqual([spans.length, changes, computations], [1, 1, 1])
  })

  test('a host with dozens of cut addresses: the span still has the unconfirmed one', () => {
    interfaces = Array.from({ length: 60 }, (_, n) => ({ name: `br-${n}`, address: `172.17.${n}.1`, isBridge: true }))
    observed = [{ address: '/ip4/45.79.10.254/tcp/4001', isConfirmed: false, why: 'a neighbour could not dial it' }]
    start()
    const { attributes } = spans.at(-1) as Extract<SpanEffect, { span: 'mesh.address.changed' }>
    const withheld = attributes['mesh.address.withheld']
    assert.equal(withheld[0], '/ip4/45.79.10.254/tcp/4001 unconfirmed a neighbour could not dial it')
    assert.equal(withheld.length, 32)
  })

  test('an hour without a change: one span, one announcement', () => {
    start()
    clock.advance(3_600_000)
    assert.equal(spans.length, 1)
    assert.equal(changes, 1)
  })

  test('the list is recomputed after a change, and every 30 s for the routes', async () => {
    start()
    await nextTurn()
    const before = computations
    clock.advance(27_000)
    assert.ok(computations - before <= 1, `${computations - before} times`)
    events.dispatchEvent(new CustomEvent('self:peer:update'))
    clock.advance(50)
    assert.ok(computations - before <= 2, `${computations - before} times`)
    interfaces = [eth0('45.79.10.1'), eth0('45.79.10.2')]
    clock.advance(5_000)
    assert.equal(computations - before, 3)
    await nextTurn()
    const changed = computations
    clock.advance(35_000)
    await nextTurn()
    assert.equal(computations - changed, 1)
  })

  test('with the mesh’s announce filter identify answers with the announced list', () => {
    const ours = announceFilter()
    filter = ours
    const stale = multiaddr('/ip4/10.0.0.9/tcp/1')
    assert.deepEqual(ours([stale]), [stale])
    start()
    assert.deepEqual(ours([stale]).map(String), [`/ip4/45.79.10.1/tcp/4001/p2p/${peer}`])
    assert.deepEqual(patches, [['/ip4/45.79.10.1/tcp/4001', relayed.replace(/\/p2p\/[^/]+$/, '')]])
  })

  test('a relay reservation stays in identify, and out of the digest', () => {
    const ours = announceFilter()
    filter = ours
    const watch = start()
    const listed = [`/ip4/45.79.10.1/tcp/4001/p2p/${peer}`, relayed]
    assert.deepEqual(ours([multiaddr(listen), multiaddr(relayed)]).map(String), listed)
    assert.deepEqual(watch.announced(), listed.slice(0, 1))
  })

  test('an application’s own filter withholds addresses, and the mesh does not change identify', () => {
    filter = (addresses) => addresses.filter((address) => !address.toString().includes('/45.'))
    const watch = start()
    assert.deepEqual(watch.announced(), [])
    assert.equal(watch.addresses[0]?.reason, 'filtered')
    assert.deepEqual(patches, [])
  })
})

const relays = ['7', '8'].map((host) => `/ip4/10.0.0.${host}/tcp/1/p2p/12D3Relay/p2p-circuit`)
const listeners: readonly (readonly [
  title: string,
  configured: string[],
  listening: string[][],
  expected: string[],
])[] = [
  [
    'a wildcard listener with any number of addresses: the wildcard with its real port',
    ['/ip4/0.0.0.0/udp/0/quic-v1', '/ip6/::/tcp/0'],
    [['/ip4/127.0.0.1/udp/4711/quic-v1', '/ip4/10.0.0.9/udp/4711/quic-v1'], ['/ip6/::1/tcp/4712']],
    ['/ip4/0.0.0.0/udp/4711/quic-v1', '/ip6/::/tcp/4712'],
  ],
  [
    'a listener of an explicit address beside a wildcard: that address',
    ['/ip4/127.0.0.1/tcp/4001', '/ip4/0.0.0.0/tcp/4002'],
    [['/ip4/127.0.0.1/tcp/4001'], ['/ip4/127.0.0.1/tcp/4002']],
    ['/ip4/127.0.0.1/tcp/4001', '/ip4/0.0.0.0/tcp/4002'],
  ],
  ['a listener without addresses: the wildcard with the configured port', [listen], [[]], [listen]],
  ['a listener without addresses, port 0: none', ['/ip4/0.0.0.0/udp/0/quic-v1'], [[]], []],
  [
    'relayed addresses and other transports: unchanged',
    ['/p2p-circuit'],
    [relays, ['/memory/a']],
    [...relays, '/memory/a'],
  ],
]
for (const [title, configured, listening, expected] of listeners) {
  test(title, () => {
    const found = listeningAddresses(
      configured,
      listening.map((addresses) => ({ getAddrs: () => addresses })),
    )
    assert.deepEqual(found, expected)
  })
}
