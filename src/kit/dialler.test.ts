import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Connection } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { Owner } from '../core/owner.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { VirtualClock } from '../testing/virtual-clock.ts'
import type { NetworkComponents } from './components.ts'
import { type ConnectionRecord, Connections } from './connections.ts'
import { Dialler } from './dialler.ts'

leakCheck()

const self = peerIdFromString('12D3KooWGzxzKZYveHXtpG6AsrUJBcWxHBFS2HsEoGTxrMLvKXtf')
const peer = peerIdFromString('12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN')
const quic = '/ip4/10.0.0.1/udp/1/quic-v1'
const tcp = '/ip4/10.0.0.1/tcp/1'

const settle = () => new Promise<void>((resolve) => setImmediate(resolve))

/** A dial to a peer over QUIC and TCP, both of which open; the one over QUIC is identified first. */
async function dialled(closes: 'own' | 'all', protocolOnTcp: string) {
  const clock = new VirtualClock()
  const owner = new Owner('test', clock)
  const events = new EventTarget()
  const open: Record<string, (connection: Connection) => void> = {}
  const components = {
    events,
    peerId: self,
    connectionManager: { getConnections: () => [], getDialQueue: () => [] },
    transportManager: {
      dialTransportForMultiaddr: () => true,
      dial: (address: unknown) =>
        new Promise<Connection>((resolve) => (open[`${address}`.split('/p2p')[0] ?? ''] = resolve)),
    },
  } as unknown as NetworkComponents
  const connections = new Connections(components, owner, clock, undefined, 8, undefined, closes)
  const left: ConnectionRecord[] = []
  const dialler = new Dialler({
    components,
    owner,
    clock,
    connections,
    lookup: async () => [],
    isOwn: () => false,
    deliver: () => {},
    yieldsToApp: closes === 'own',
    leaveToApp: (record) => left.push(record),
  })
  dialler.dialPeer({ do: 'dial.peer', peer: String(peer), addresses: [quic, tcp], limitMs: 5_000 })
  await settle()
  clock.advance(250)
  await settle()
  const [fast, other] = [connectionTo(quic, '/meshsub/1.2.0'), connectionTo(tcp, protocolOnTcp)]
  open[quic]?.(fast)
  open[tcp]?.(other)
  await settle()
  events.dispatchEvent(Object.assign(new Event('peer:identify'), { detail: { connection: fast } }))
  await settle()
  await owner.close()
  return { fast, other, left: left.map(({ connection }) => connection) }
}

function connectionTo(address: string, protocol: string) {
  const streams = [{ protocol }]
  const fake = { id: address, status: 'open', direction: 'outbound', remotePeer: peer, streams, abort: () => {} }
  fake.abort = () => (fake.status = 'aborted')
  return Object.assign(fake, { remoteAddr: multiaddr(address) }) as unknown as Connection
}

describe('of two connections that one dial opened', () => {
  test('an application keeps the second while it has a stream on it', async () => {
    const { fast, other, left } = await dialled('own', '/bitswap/1.2.0')
    assert.deepEqual([fast.status, other.status, left], ['open', 'open', [other]])
  })

  test('the second is aborted while the application does not use it', async () => {
    const { fast, other, left } = await dialled('own', '/ipfs/id/1.0.0')
    assert.deepEqual([fast.status, other.status, left], ['open', 'aborted', []])
  })

  test('the second is aborted whatever is on it where the mesh may close all', async () => {
    const { fast, other, left } = await dialled('all', '/bitswap/1.2.0')
    assert.deepEqual([fast.status, other.status, left], ['open', 'aborted', []])
  })
})
