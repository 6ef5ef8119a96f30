import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Connection } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { Owner } from '../../core/owner.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { VirtualClock } from '../../testing/sim/virtual-clock.ts'
import type { NetworkComponents } from '../components.ts'
import { type ConnectionRecord, Connections } from '../connections/connections.ts'
import { Dialler } from './dialler.ts'

leakCheck()

const self = peerIdFromString('12D3KooWGzxzKZYveHXtpG6AsrUJBcWxHBFS2HsEoGTxrMLvKXtf')
const peer = peerIdFromString('12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN')
const quic = '/ip4/10.0.0.1/udp/1/quic-v1'
const tcp = '/ip4/10.0.0.1/tcp/1'

/** Dials a peer over QUIC and TCP; both open, and QUIC is identified first. */
async function dialBoth(closes: 'own' | 'all', protocolOnTcp: string) {
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
  const leftToApp: ConnectionRecord[] = []
  const dialler = new Dialler({
    components,
    owner,
    clock,
    connections,
    lookup: async () => [],
    isOwn: () => false,
    deliver: () => {},
    yieldsToApp: closes === 'own',
    leaveToApp: (record) => leftToApp.push(record),
  })
  dialler.dialPeer({ do: 'dial.peer', peer: String(peer), addresses: [quic, tcp], limitMs: 5_000 })
  await nextTurn()
  clock.advance(250)
  await nextTurn()
  const [fast, other] = [connectionTo(quic, '/meshsub/1.2.0'), connectionTo(tcp, protocolOnTcp)]
  open[quic]?.(fast)
  open[tcp]?.(other)
  await nextTurn()
  events.dispatchEvent(Object.assign(new Event('peer:identify'), { detail: { connection: fast } }))
  await nextTurn()
  await owner.close()
  return { fast, other, leftToApp: leftToApp.map(({ connection }) => connection) }
}

function connectionTo(address: string, protocol: string) {
  const streams = [{ protocol }]
  const fake = { id: address, status: 'open', direction: 'outbound', remotePeer: peer, streams, abort: () => {} }
  fake.abort = () => (fake.status = 'aborted')
  return Object.assign(fake, { remoteAddr: multiaddr(address) }) as unknown as Connection
}

for (const [situation, closes, protocol, status] of [
  ['the application has a stream on the second: it stays', 'own', '/bitswap/1.2.0', 'open'],
  ['the application does not use the second: it is', 'own', '/ipfs/id/1.0.0', 'aborted'],
  ['`closes: all`: the second, even with a stream of the application, is', 'all', '/bitswap/1.2.0', 'aborted'],
] as const) {
  test(`two connections of one dial, ${situation} ${status}`, async () => {
    const { fast, other, leftToApp } = await dialBoth(closes, protocol)
    assert.deepEqual([fast.status, other.status, leftToApp], ['open', status, status === 'open' ? [other] : []])
  })
}
