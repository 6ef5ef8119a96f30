import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { bypassesProxy, findProxy, withoutProxy } from './otlp-proxy.ts'

leakCheck()

const env = { http_proxy: 'http://user:hunter2@proxy.example.org:3128' }

test('loopback addresses and names without a dot are local; other hosts are not', () => {
  const ipv4 = ['127.0.0.1', '127.9.9.9', '0.0.0.0']
  const ipv6 = ['[::1]', '::1', '::ffff:127.0.0.1', '::']
  for (const host of [...ipv4, ...ipv6, 'localhost', 'localhost.', 'a.localhost', 'jaeger'])
    assert.equal(bypassesProxy(host), true, host)
  for (const host of ['10.0.0.1', '128.0.0.1', '[2001:db8::1]', 'collector.example.org', '127.example.org'])
    assert.equal(bypassesProxy(host), false, host)
})

test('a local host uses no proxy; a remote host uses that of the environment, shown without credentials', () => {
  assert.equal(findProxy('127.0.0.1', env), undefined)
  assert.equal(findProxy('collector', env), undefined)
  assert.deepEqual(findProxy('a.example.org', env), { variable: 'http_proxy', address: 'proxy.example.org:3128' })
  assert.equal(findProxy('a.example.org', { ...env, no_proxy: 'x.org,.example.org' }), undefined)
  assert.equal(findProxy('a.example.org', {}), undefined)
})

test('opening a channel without a proxy: restores the environment, also after an error', () => {
  const before = { ...process.env }
  assert.equal(
    withoutProxy('[::1]', () => process.env['no_grpc_proxy']),
    '::1',
  )
  assert.throws(() =>
    withoutProxy('a', () => {
      throw new Error('no channel')
    }),
  )
  assert.deepEqual({ ...process.env }, before)
})
