import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { listeningAddresses } from './listening.ts'

leakCheck()

const listener = (...addresses: string[]) => ({ getAddrs: () => addresses })

test('a wildcard listener with any number of addresses: the wildcard with its real port', () => {
  const configured = ['/ip4/0.0.0.0/udp/0/quic-v1', '/ip6/::/tcp/0']
  const listeners = [
    listener('/ip4/127.0.0.1/udp/4711/quic-v1', '/ip4/10.0.0.9/udp/4711/quic-v1'),
    listener('/ip6/::1/tcp/4712'),
  ]
  assert.deepEqual(listeningAddresses(configured, listeners), ['/ip4/0.0.0.0/udp/4711/quic-v1', '/ip6/::/tcp/4712'])
})

test('a listener of an explicit address beside a wildcard: that address', () => {
  const configured = ['/ip4/127.0.0.1/tcp/4001', '/ip4/0.0.0.0/tcp/4002']
  const listeners = [listener('/ip4/127.0.0.1/tcp/4001'), listener('/ip4/127.0.0.1/tcp/4002')]
  assert.deepEqual(listeningAddresses(configured, listeners), ['/ip4/127.0.0.1/tcp/4001', '/ip4/0.0.0.0/tcp/4002'])
})

test('a listener without addresses: the wildcard with the configured port', () => {
  assert.deepEqual(listeningAddresses(['/ip4/0.0.0.0/udp/4001/quic-v1'], [listener()]), [
    '/ip4/0.0.0.0/udp/4001/quic-v1',
  ])
  assert.deepEqual(listeningAddresses(['/ip4/0.0.0.0/udp/0/quic-v1'], [listener()]), [])
})

test('relayed addresses and other transports: unchanged', () => {
  const relayed = ['/ip4/10.0.0.7/tcp/1/p2p/12D3Relay/p2p-circuit', '/ip4/10.0.0.8/tcp/1/p2p/12D3Relay/p2p-circuit']
  assert.deepEqual(listeningAddresses(['/p2p-circuit'], [listener(...relayed), listener('/memory/a')]), [
    ...relayed,
    '/memory/a',
  ])
})
