import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { forAll } from '../testing/for-all.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { networkPeer } from './address.ts'

leakCheck()

test('QUIC is a protocol over UDP, TCP is TCP, and the zone of an IPv6 address is ignored', () => {
  assert.deepEqual(networkPeer('/ip4/10.0.0.2/udp/4001/quic-v1/p2p/12D3'), {
    'network.peer.address': '10.0.0.2',
    'network.peer.port': 4_001,
    'network.transport': 'udp',
    'network.protocol.name': 'quic',
  })
  assert.deepEqual(networkPeer('/ip6zone/eth0/ip6/fe80::1/tcp/4002'), {
    'network.peer.address': 'fe80::1',
    'network.peer.port': 4_002,
    'network.transport': 'tcp',
  })
})

test('IP addresses are canonical; protocols above TCP and QUIC change nothing', () => {
  const one = (address: string) => Object.values(networkPeer(address))
  assert.deepEqual(one('/ip6/::ffff:10.0.0.2/tcp/1'), ['10.0.0.2', 1, 'tcp'])
  assert.deepEqual(one('/ip4/10.0.0.2/tcp/1/tls/ws/p2p/12D3'), ['10.0.0.2', 1, 'tcp'])
  assert.deepEqual(one('/ip4/10.0.0.2/udp/1/quic-v1/webtransport/certhash/uEi'), ['10.0.0.2', 1, 'udp', 'quic'])
})

test('a relayed connection has the address of its relay', () => {
  const peer = networkPeer('/ip4/192.0.2.1/tcp/4001/p2p/12D3relay/p2p-circuit/p2p/12D3peer')
  assert.deepEqual([peer['network.peer.address'], peer['network.peer.port']], ['192.0.2.1', 4_001])
})

test('address without IP: no attributes; no text throws', async (t) => {
  for (const address of ['', '/memory/5', '/unix/tmp/x', '/dns4/seed.example/tcp/4001', '/ip4', '/ip4/'])
    assert.deepEqual(networkPeer(address), {}, address)
  // An address without a port has no port.
  for (const address of ['/ip4/10.0.0.1', '/ip4/10.0.0.1/udp', '/ip4/10.0.0.1/udp/x', '/ip4/10.0.0.1/sctp/1'])
    assert.deepEqual(networkPeer(address), { 'network.peer.address': '10.0.0.1' }, address)
  await forAll({ t, numRuns: 200 }, [fc.string()], (text) => {
    const { 'network.peer.port': port = 0 } = networkPeer(`/ip4/10.0.0.1/udp/${text}`)
    assert.ok(Number.isInteger(port))
  })
})
