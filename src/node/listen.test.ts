import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { hasIpv6, usableListenAddresses } from './listen.ts'

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
