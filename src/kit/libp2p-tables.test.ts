import assert from 'node:assert/strict'
import { test } from 'node:test'
import { kadDHT, passthroughMapper, removePrivateAddressesMapper } from '@libp2p/kad-dht'
import { peerIdFromString } from '@libp2p/peer-id'
import { ping } from '@libp2p/ping'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { until } from '../processes/waiting.ts'
import { silentLogger } from '../telemetry/log.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { newPeer } from '../testing/suite/fake-peer-store.ts'
import { loopbackSettings, startApp } from '../testing/suite/mesh-app.ts'
import { missingTables, readTables, type TableComponents } from './libp2p-tables.ts'
import { type Dht, missingDhtMembers, removesAllAddresses } from './peer-store/dht-table.ts'
import { compactRecord, peerOfRecord, recordKeys } from './peer-store/peer-store-records.ts'

leakCheck()

/** A libp2p that is not started, with its components. */
async function libp2pWithComponents() {
  const libp2p = await createLibp2p(await loopbackSettings())
  return {
    libp2p,
    components: (libp2p as unknown as { components: TableComponents & { datastore: Memory } }).components,
  }
}

type Memory = TableComponents['datastore'] & { readonly data: Map<string, Uint8Array> }

test('the installed libp2p: it has every table that the census counts', async () => {
  const { components } = await libp2pWithComponents()
  assert.deepEqual(missingTables(components), [])
  const tables = await readTables(components)
  for (const [name, size] of Object.entries(tables)) assert.ok(Number.isSafeInteger(size), `${name} is ${size}`)
})

test('a libp2p whose private tables moved: the census lacks them, and their names are known', async () => {
  const { components } = await libp2pWithComponents()
  const { peerId, datastore, peerStore, addressManager } = components
  const moved = { peerId, datastore, peerStore, addressManager, connectionManager: {}, registrar: { topologies: {} } }
  assert.deepEqual(missingTables(moved), [
    'mesh.audit.dial_queue',
    'mesh.audit.reconnects',
    'mesh.audit.pending_in',
    'mesh.audit.pending_out',
    'mesh.audit.handlers',
    'mesh.audit.topologies',
  ])
  assert.deepEqual(Object.keys(await readTables(moved)).toSorted(), [
    'mesh.audit.observed_addresses',
    'mesh.audit.peer_locks',
    'mesh.audit.peer_store',
  ])
})

test('sizes: they follow libp2p', async () => {
  const { libp2p, components } = await libp2pWithComponents()
  const before = await readTables(components)
  for (let i = 0; i < 3; i++)
    await libp2p.peerStore.merge(await newPeer(), { multiaddrs: [multiaddr('/ip4/10.0.0.1/tcp/1')] })
  await libp2p.handle('/a/1.0.0', () => {})
  await libp2p.register('/b/1.0.0', {})
  const after = await readTables(components)
  const growth = (name: keyof typeof after) => Number(after[name]) - Number(before[name])
  assert.deepEqual(
    [growth('mesh.audit.peer_store'), growth('mesh.audit.handlers'), growth('mesh.audit.topologies')],
    [3, 1, 1],
  )
  assert.equal(after['mesh.audit.peer_store'], (await libp2p.peerStore.all()).length)
})

test('keys of records: the same peers as the peer store lists, in memory and in another datastore', async () => {
  const { libp2p, components } = await libp2pWithComponents()
  for (let i = 0; i < 3; i++) await libp2p.peerStore.merge(await newPeer(), { protocols: ['/a'] })
  const listed = (await libp2p.peerStore.all()).map(({ id }) => id.toString()).toSorted()
  const { datastore } = components
  const elsewhere = { queryKeys: (query: { prefix: string }) => datastore.queryKeys(query) }
  for (const store of [datastore, elsewhere]) {
    const keys = await recordKeys(store, libp2p.peerId)
    assert.deepEqual(keys.map((key) => peerOfRecord(key).toString()).toSorted(), listed)
  }
})

test('a record of libp2p: it has the time of its change, and is compacted into its own buffer with the same content', async () => {
  const { libp2p, components } = await libp2pWithComponents()
  const peer = await newPeer()
  await libp2p.peerStore.merge(peer, { multiaddrs: [multiaddr('/ip4/10.0.0.1/tcp/1')], protocols: ['/a/1.0.0'] })
  const before = await libp2p.peerStore.get(peer)
  // The grace period of a record depends on it; libp2p's type leaves it out.
  assert.ok(Math.abs(Number((before as { updated?: unknown }).updated) - Date.now()) < 60_000)
  const [key = ''] = await recordKeys(components.datastore, libp2p.peerId)
  const sizes = () => {
    const value = components.datastore.data.get(key)
    return [value?.byteLength, value?.buffer.byteLength]
  }
  const [used = 0, held = 0] = sizes()
  assert.ok(held > 10 * used, `libp2p stores ${used} bytes in a buffer of ${held}`)
  assert.equal(compactRecord(components.datastore, key), true)
  assert.deepEqual(sizes(), [used, used])
  assert.deepEqual(await libp2p.peerStore.get(peer), before)
  assert.equal(compactRecord(components.datastore, key), false)
})

const dhtOf = async (init: Parameters<typeof kadDHT>[0]) => {
  const libp2p = await createLibp2p({
    ...(await loopbackSettings()),
    services: {
      identify: () => ({ [Symbol.for('@libp2p/service-capabilities')]: ['@libp2p/identify'] }),
      ping: ping(),
      dht: kadDHT(init),
    },
  })
  return { dht: libp2p.services.dht as unknown as Dht, libp2p }
}

test('the installed kad-dht: it has every member that the mesh uses; another object lacks all', async () => {
  const { dht } = await dhtOf({})
  assert.deepEqual(missingDhtMembers(dht), [])
  assert.deepEqual(missingDhtMembers({ routingTable: { size: 1 } }), ['routingTable', 'getMode', 'peerInfoMapper'])
})

test('a DHT server whose mapper removes all own addresses: recognized, and only then', async () => {
  const peer = peerIdFromString('12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN')
  const privateAddress = ['/ip4/192.168.1.2/tcp/4001']
  const describe = async (init: Parameters<typeof kadDHT>[0], own = privateAddress) =>
    removesAllAddresses((await dhtOf(init)).dht, peer, own)
  assert.equal(await describe({ clientMode: false }), true)
  assert.equal(await describe({ clientMode: false, peerInfoMapper: removePrivateAddressesMapper }), true)
  assert.equal(await describe({ clientMode: false, peerInfoMapper: passthroughMapper }), false)
  assert.equal(await describe({ clientMode: false }, ['/ip4/45.79.10.1/tcp/4001']), false)
  assert.equal(await describe({ clientMode: true }), false)
})

test('an application with such a DHT: a warning, and the census says so', async () => {
  const warnings: string[] = []
  const logger = { ...silentLogger, warn: (_: unknown, text?: string) => void warnings.push(text ?? '') }
  const services = { ping: ping(), dht: kadDHT({ clientMode: false }) }
  await using app = await startApp({ logger: logger as typeof silentLogger }, { services })
  await until(() => warnings.length > 0, 10_000, 'a warning')
  assert.match(warnings.join('\n'), /^the DHT server finds no peer of this network.*passthroughMapper$/)
  await until(() => app.spansNamed('mesh.audit').length > 0, 20_000, 'the first census')
  const [audit] = app.spansNamed('mesh.audit')
  assert.deepEqual([audit?.attributes['mesh.audit.dht_useless'], audit?.attributes['mesh.audit.dht_rt']], [true, 0])
})
