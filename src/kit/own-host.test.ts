import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { readInterfaces } from './interfaces.ts'
import { explainSelfDial } from './own-host.ts'

leakCheck()

const eth0 = ['192.0.2.7', '2001:db8::7'].map((address) => ({ name: 'eth0', address, isBridge: false }))
const explain = (address: string, interfaces = () => eth0) =>
  explainSelfDial({ stage: 'handshake', addresses: [address], errorType: 'SelfDial', errorMessage: '' }, interfaces)
    .errorMessage

test('a self dial at any spelling of an address of this machine is this node itself', () => {
  const hosts = [
    ...['/ip4/127.0.0.1', '/ip4/127.9.9.9', '/ip4/192.0.2.7', '/ip6/::1', '/ip6/0:0:0:0:0:0:0:1'],
    ...['/ip6/2001:db8::7', '/ip6/2001:0DB8:0:0::0007', '/ip6/::ffff:192.0.2.7', '/ip6zone/eth0/ip6/2001:db8::7'],
  ]
  for (const host of hosts) assert.equal(explain(`${host}/tcp/4001`), 'this node itself listens there', host)
})

test('a self dial at another address: the message names the address and a copied key', () => {
  for (const host of ['/ip4/192.0.2.8', '/ip6/2001:db8::8'])
    assert.match(explain(`${host}/tcp/4001`), new RegExp(`${host}/tcp/4001, which is no address of this machine`))
})

test('a seed with the own peer id: the message does not say that it answers, as it was not dialled', () => {
  const message = explain('/dns4/seed.example/tcp/4001/p2p/12D3KooW')
  assert.match(message, /^the seed names this node’s own peer id/)
  assert.equal(message.includes('answers'), false)
})

test('unreadable interfaces: a self dial is still explained', () => {
  const unreadable = () =>
    readInterfaces(() => {
      throw new Error('not permitted')
    })
  assert.match(explain('/ip4/192.0.2.7/tcp/4001', unreadable), /it is this node itself, or another machine/)
  assert.equal(explain('/ip4/127.0.0.1/tcp/4001', unreadable), 'this node itself listens there')
})

test('any other failure is unchanged', () => {
  const failure = { stage: 'dial', addresses: [], errorType: 'TimeoutError', errorMessage: 'timed out' } as const
  assert.equal(explainSelfDial(failure), failure)
})
