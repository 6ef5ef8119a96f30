import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { isLocalHost, proxyTo, withoutProxy } from './otlp-proxy.ts'

leakCheck()

const env = { http_proxy: 'http://user:hunter2@proxy.example.org:3128' }

test('loopback and names without a dot are local, every other host is not', () => {
  for (const host of [
    '127.0.0.1',
    '127.9.9.9',
    '[::1]',
    '::1',
    '::ffff:127.0.0.1',
    'localhost',
    'localhost.',
    '0.0.0.0',
    '::',
    'a.localhost',
    'jaeger',
  ])
    assert.equal(isLocalHost(host), true, host)
  for (const host of ['10.0.0.1', '128.0.0.1', '[2001:db8::1]', 'collector.example.org', '127.example.org'])
    assert.equal(isLocalHost(host), false, host)
})

test('a local host takes no proxy, another the one that is named, without its credentials', () => {
  assert.equal(proxyTo('127.0.0.1', env), undefined)
  assert.equal(proxyTo('collector', env), undefined)
  assert.deepEqual(proxyTo('a.example.org', env), { variable: 'http_proxy', address: 'proxy.example.org:3128' })
  assert.equal(proxyTo('a.example.org', { ...env, no_proxy: 'x.org,.example.org' }), undefined)
  assert.equal(proxyTo('a.example.org', {}), undefined)
})

test('the environment is as before once the channel is open, also when that throws', () => {
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
