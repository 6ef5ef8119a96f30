import assert from 'node:assert/strict'
import { registerHooks } from 'node:module'
import { test } from 'node:test'
import type { PeerStore } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { CID } from 'multiformats/cid'
import { sha256 } from 'multiformats/hashes/sha2'
import { until } from '../processes/waiting.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { type DhtPeer, startDhtPeer } from '../testing/suite/dht-peer.ts'
import { parseConfig } from './config.ts'
import { startNode } from './node.ts'

leakCheck()

const quietEnv = { MESH_OTLP: 'off', MESH_LOG_LEVEL: 'silent', MESH_ADMIN: 'off', MESH_LISTEN: '/ip4/127.0.0.1/tcp/0' }

const loaded: string[] = []
const hooks = registerHooks({
  resolve: (specifier, context, next) => {
    loaded.push(specifier)
    return next(specifier, context)
  },
})

/** Starts a node, and ends it after `run`. */
async function withNode(
  env: Record<string, string>,
  run: (seed: { address: string; peer: string; peerStore: PeerStore }) => Promise<void>,
): Promise<void> {
  const node = await startNode(parseConfig({ ...quietEnv, ...env }))
  try {
    await run({ address: node.addresses[0] ?? '', peer: node.peer, peerStore: node.libp2p.peerStore })
  } finally {
    await node.stop('SIGTERM')
  }
}

/** Connects to the seed and waits until its table has this peer, as another one finds. */
async function join(peer: DhtPeer, seed: { address: string }, finder: DhtPeer): Promise<void> {
  await peer.dial(seed.address)
  await until(async () => (await finder.find(peer.peer)).length > 0, 15_000, 'the seed knows the peer')
}

test('roles: only a seed loads the DHT', async () => {
  // This file has loaded kad-dht itself, but `dht-server.ts` only through a seed.
  const hasLoaded = () => loaded.some((one) => one.endsWith('/dht-server.ts'))
  await withNode({}, async () => assert.equal(hasLoaded(), false))
  await withNode({ MESH_ROLE: 'seed', MESH_DHT_PROTOCOL: 'off' }, async () => assert.equal(hasLoaded(), false))
  await withNode({ MESH_ROLE: 'seed' }, async () => assert.equal(hasLoaded(), true))
  hooks.deregister()
})

for (const protocol of ['/tracemesh/kad/1.0.0', '/ipfs/kad/1.0.0']) {
  test(`two peers of plain libp2p at a seed of ${protocol}: one finds the other and dials it`, () =>
    withNode({ MESH_ROLE: 'seed', MESH_DHT_PROTOCOL: protocol }, async (seed) => {
      await using target = await startDhtPeer({ protocol })
      await using finder = await startDhtPeer({ protocol, clientMode: true })
      await finder.dial(seed.address)
      assert.deepEqual(await finder.find(target.peer, 1_000), [])
      await join(target, seed, finder)
      const [address = ''] = await finder.find(target.peer)
      const connection = await finder.libp2p.dial(multiaddr(address).encapsulate(`/p2p/${target.peer}`))
      assert.equal(connection.remotePeer.toString(), target.peer)
    }))
}

test('a peer of another DHT protocol: the seed answers it nothing', () =>
  withNode({ MESH_ROLE: 'seed' }, async (seed) => {
    await using other = await startDhtPeer({ protocol: '/other/kad/1.0.0' })
    await other.dial(seed.address)
    assert.deepEqual(await other.find(seed.peer, 1_000), [])
  }))

test('records and providers: the seed keeps none of a peer, and no address that the peer adds there', () =>
  withNode({ MESH_ROLE: 'seed' }, async (seed) => {
    await using provider = await startDhtPeer()
    await using finder = await startDhtPeer({ clientMode: true })
    await finder.dial(seed.address)
    await join(provider, seed, finder)
    const key = CID.createV1(0x55, await sha256.digest(new TextEncoder().encode('a file')))
    const signal = AbortSignal.timeout(10_000)
    const announced = multiaddr('/ip4/203.0.113.9/tcp/9')
    const addressManager = { getAddresses: () => [announced] }
    Object.assign(provider.dht, { components: { addressManager, peerStore: provider.libp2p.peerStore } })
    for await (const event of provider.dht.provide(key, { signal })) void event
    const providers: string[] = []
    for await (const event of finder.dht.findProviders(key, { signal }))
      if (event.name === 'PROVIDER') providers.push(...event.providers.map(({ id }) => id.toString()))
    assert.deepEqual(providers, [])
    const answer = await finder.askServer(seed.peer, provider.peer)
    assert.deepEqual([answer?.length !== 0, answer?.includes(announced.toString())], [true, false])
  }))

test('the closest peers of the table: ranked for libp2p, but not tagged for reconnection', () =>
  withNode({ MESH_ROLE: 'seed' }, async (seed) => {
    await using peer = await startDhtPeer()
    await peer.dial(seed.address)
    const tags = async () => [...(await seed.peerStore.get(peer.libp2p.peerId)).tags.keys()].toSorted()
    // kad-dht tags its closest peers every five seconds.
    await until(async () => (await tags()).includes('kad-close'), 20_000, 'the tag of a close peer')
    assert.deepEqual(await tags(), ['kad-close', 'kad-peer'])
  }))

test('a peer that names others: the seed asks nobody and learns nobody', () =>
  withNode({ MESH_ROLE: 'seed' }, async (seed) => {
    const startedAt = performance.now()
    await using hidden = await startDhtPeer()
    await using talker = await startDhtPeer()
    await using finder = await startDhtPeer({ clientMode: true })
    await talker.dial(hidden.libp2p.getMultiaddrs().map(String)[0] ?? '')
    await until(() => talker.dht.routingTable.size === 1, 15_000, 'the talker knows the hidden peer')
    await finder.dial(seed.address)
    // A DHT asks its first peers a second after its start.
    await until(() => performance.now() - startedAt > 1_500, 10_000, 'the time of the first query')
    await join(talker, seed, finder)
    const ask = () => talker.askServer(seed.peer, hidden.peer)
    await until(async () => (await ask()) !== undefined, 15_000, 'an answer of the seed')
    for (let i = 0; i < 10; i++) assert.deepEqual(await ask(), [])
  }))
