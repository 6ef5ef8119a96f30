import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Connection } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import type { NetworkEvent } from '../core/events.ts'
import { Owner } from '../core/owner.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { VirtualClock } from '../testing/sim/virtual-clock.ts'
import type { NetworkComponents } from './components.ts'
import { Libp2pNetwork } from './libp2p-network.ts'

leakCheck()

const peer = peerIdFromString('12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN')
const remoteAddr = multiaddr('/ip4/10.0.0.1/tcp/1')

const connectionOf = (id: string) =>
  ({ id, status: 'open', direction: 'inbound', remotePeer: peer, remoteAddr, streams: [] }) as unknown as Connection

/** A started network with this number of connections, and the events that it delivers. */
async function startWith(count: number) {
  const clock = new VirtualClock()
  const owner = new Owner('node', clock)
  const events = new EventTarget()
  const connections = Array.from({ length: count }, (_, index) => connectionOf(`c${index}`))
  const registrar = { handle: async () => {}, unhandle: async () => {} }
  const connectionManager = { getConnections: () => connections, getDialQueue: () => [] }
  const components = { peerId: peer, events, registrar, connectionManager } as unknown as NetworkComponents
  const network = new Libp2pNetwork({ components, owner, clock, meshes: [], identify: { identify: async () => {} } })
  const delivered: NetworkEvent[] = []
  await network.start((event) => {
    delivered.push(event)
    if (event.type === 'changed') network.observe()
  })
  const dispatch = async (type: string, id: string) => {
    events.dispatchEvent(new CustomEvent(type, { detail: connectionOf(id) }))
    await Promise.resolve()
  }
  await Promise.resolve()
  return {
    network,
    clock,
    owner,
    dispatch,
    count: (type: string) => delivered.filter((one) => one.type === type).length,
  }
}

test('many changes on a node with many connections: one snapshot, then a pause that grows with their number', async () => {
  const { clock, owner, dispatch, count } = await startWith(200)
  const before = count('changed')
  for (let n = 0; n < 50; n++) await dispatch('connection:close', `gone ${n}`)
  assert.equal(count('changed') - before, 0)
  clock.advance(49)
  assert.equal(count('changed') - before, 0)
  clock.advance(1)
  assert.equal(count('changed') - before, 1)
  await owner.close()
})

test('a new connection on such a node: reported by itself, at once', async () => {
  const { owner, dispatch, count } = await startWith(200)
  for (let n = 0; n < 3; n++) await dispatch('connection:open', `new ${n}`)
  assert.equal(count('opened'), 3)
  await owner.close()
})

test('changes on a node with few connections: a snapshot at each', async () => {
  const { owner, dispatch, count } = await startWith(32)
  const before = count('changed')
  for (let n = 0; n < 5; n++) await dispatch('connection:close', `gone ${n}`)
  assert.equal(count('changed') - before, 5)
  await owner.close()
})
