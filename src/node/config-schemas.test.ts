import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseHostPort } from '../admin/host-port.ts'
import { isLoopback } from '../core/address.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { isAddress } from './config-schemas.ts'

leakCheck()

const peer = '12D3KooWGzxzKZYveHXtpG6AsrUJBcWxHBFS2HsEoGTxrMLvKXtf'

const dialable = [
  '/ip4/10.0.0.7/udp/9000/quic-v1',
  '/ip4/10.0.0.7/tcp/9000',
  '/ip6/fd00::7/udp/9000/quic-v1',
  '/dns/seed.example.org/tcp/9000',
  '/dns4/seed-0.mesh/udp/9000/quic-v1',
  `/dns6/seed/tcp/65535/p2p/${peer}`,
  `/ip6/::1/udp/1/quic-v1/p2p/${peer}`,
]

const undiallable = [
  'nonsense',
  '/',
  '10.0.0.7:9000',
  '/ip4/10.0.0/tcp/9000',
  '/ip4/10.0.0.7',
  '/ip4/10.0.0.7/tcp/65536',
  '/ip4/10.0.0.7/tcp/-1',
  '/ip4/10.0.0.7/udp/9000',
  '/ip4/10.0.0.7/tcp/9000/ws',
  '/ip4/10.0.0.7/udp/9000/quic',
  '/ip4/10.0.0.7/tcp/9000/p2p/nonsense',
  `/p2p/${peer}`,
  '/dns4//tcp/9000',
  '/dns4/a b/tcp/9000',
  `/dns4/${'a'.repeat(254)}/tcp/9000`,
  '/unix/tmp/socket',
]

test('an address to dial: IP or DNS name, QUIC or TCP, with or without a peer id', () => {
  for (const text of dialable) assert.ok(isAddress(text, 'dial'), text)
  for (const text of undiallable) assert.ok(!isAddress(text, 'dial'), text)
})

test('port 0: valid to listen on, invalid to dial', () => {
  assert.ok(isAddress('/ip6/::/udp/0/quic-v1', 'listen'))
  assert.ok(!isAddress('/ip6/::1/udp/0/quic-v1', 'dial'))
})

test('a DNS name or a peer id: invalid to listen on', () => {
  assert.ok(!isAddress('/dns4/seed/tcp/9000', 'listen'))
  assert.ok(!isAddress(`/ip4/127.0.0.1/tcp/9000/p2p/${peer}`, 'listen'))
})

test('host:port: both parts are parsed, IPv6 in brackets', () => {
  assert.deepEqual(parseHostPort('127.0.0.1:0'), { host: '127.0.0.1', port: 0 })
  assert.deepEqual(parseHostPort('[::1]:8080'), { host: '::1', port: 8080 })
  assert.deepEqual(parseHostPort('localhost:65535'), { host: 'localhost', port: 65_535 })
  assert.deepEqual(parseHostPort('1.1.1.1', 53), { host: '1.1.1.1', port: 53 })
  for (const text of [
    '',
    ':80',
    '127.0.0.1',
    '127.0.0.1:',
    '::1:80',
    '[::1',
    '[zz]:1',
    '[1.2.3.4]:1',
    '1.2.3:80',
    'a:65536',
    'a:-1',
    'a b:1',
  ]) {
    assert.equal(parseHostPort(text), undefined, text)
  }
})

test('loopback: 127.0.0.0/8, ::1 and localhost, nothing else', () => {
  for (const host of ['127.0.0.1', '127.9.9.9', '::1', 'localhost']) assert.ok(isLoopback(host), host)
  for (const host of ['0.0.0.0', '::', '10.0.0.1', '127.example.org', '']) assert.ok(!isLoopback(host), host)
})
