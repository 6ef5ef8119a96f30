import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isMeshError, MeshError } from '../core/errors.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { hasIpv6, toListenError, usableListenAddresses } from './listen.ts'

leakCheck()

const listen = ['/ip4/0.0.0.0/udp/0/quic-v1', '/ip6/::/udp/0/quic-v1', '/ip6/fd00::1/tcp/4001']

test('a machine without IPv6: only the wildcard /ip6/:: is dropped, a named IPv6 address stays', () => {
  assert.deepEqual(usableListenAddresses(listen, false), [listen[0], listen[2]])
  assert.deepEqual(usableListenAddresses(listen, true), listen)
})

test('a machine has IPv6 when one interface has an IPv6 address', () => {
  const v4 = { address: '127.0.0.1', family: 'IPv4' } as never
  const v6 = { address: '::1', family: 'IPv6' } as never
  assert.equal(hasIpv6({ lo: [v4] }), false)
  assert.equal(hasIpv6({ lo: [v4, v6] }), true)
})

const quic = '/ip4/127.0.0.1/udp/4001/quic-v1'
const tcp = '/ip4/127.0.0.1/tcp/4001'
const named = (name: string, message: string) => Object.assign(new Error(message), { name })

test('a port in use: the error names its address', () => {
  const error = toListenError(named('UnsupportedListenAddressesError', `${tcp}: EADDRINUSE`), [quic, tcp])
  assert.ok(isMeshError(error, 'MESH_PORT_TAKEN'))
  assert.equal(error.detail.address, tcp)
})

test('an address that libp2p cannot listen on: an invalid setting, for every error of the transport', () => {
  for (const cause of ['EADDRNOTAVAIL', 'EACCES', 'something native']) {
    const error = toListenError(named('UnsupportedListenAddressesError', `${quic}: ${cause}`), [quic, tcp])
    assert.ok(isMeshError(error, 'MESH_CONFIG_INVALID'), cause)
    assert.equal(error.detail.given, quic)
  }
})

test('an error that names its own setting is unchanged', () => {
  const taken = new MeshError('MESH_PORT_TAKEN', { key: 'MESH_ADMIN (--admin)', address: '127.0.0.1:8080' })
  assert.equal(toListenError(taken, [quic]), taken)
})

test('an error of another kind with "listener" in its message is unchanged', () => {
  const error = new Error('the event listener failed')
  assert.equal(toListenError(error, [quic]), error)
})
