import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { leakCheck } from '../../testing/leak-check.ts'
import { readInterfaces } from '../connections/interfaces.ts'
import { explainSelfDial, failureOf, summarizeFailures } from './dial-failure.ts'

leakCheck()

const errorWithCode = (code: string, message: string) => Object.assign(new Error(message), { code })
const errorNamed = (name: string, message = 'm') => Object.assign(new Error(message), { name })

describe('the stage that a dial reached', () => {
  const table: readonly [unknown, string, string][] = [
    [Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' }), 'dial', 'ECONNREFUSED'],
    [errorNamed('TimeoutError'), 'dial', 'TimeoutError'],
    [errorNamed('EncryptionFailedError'), 'handshake', 'EncryptionFailedError'],
    [errorNamed('UnexpectedPeerError'), 'handshake', 'UnexpectedPeer'],
    [
      errorNamed('EncryptionFailedError', 'Payload identity key A does not match expected remote identity key B'),
      'handshake',
      'UnexpectedPeer',
    ],
    [errorWithCode('Unknown', 'timed out'), 'dial', 'TimeoutError'],
    [errorWithCode('ETIMEDOUT', 'connect ETIMEDOUT'), 'dial', 'TimeoutError'],
    [
      errorNamed('EncryptionFailedError', 'Unexpected EOF - stream closed while reading 0/1 bytes'),
      'handshake',
      'ECONNRESET',
    ],
    [errorWithCode('EHOSTUNREACH', 'connect EHOSTUNREACH'), 'dial', 'EHOSTUNREACH'],
    [new Error('Dialed peer A but connected to B'), 'handshake', 'UnexpectedPeer'],
    [errorNamed('InvalidPeerIdError', 'Can not dial self'), 'handshake', 'SelfDial'],
    [Object.assign(new Error('Too many open files (os error 24)'), { code: 'GenericFailure' }), 'dial', 'EMFILE'],
    [new Error('No buffer space available (os error 105)'), 'dial', 'ENOBUFS'],
    [new Error('no such thing (os error 99999)'), 'dial', 'Error'],
    ['thrown text', 'dial', 'Error'],
  ]
  for (const [error, stage, type] of table) {
    test(`${error} → ${stage}, ${type}`, () => {
      const failure = failureOf(error)
      assert.deepEqual([failure.stage, failure.type], [stage, type])
    })
  }

  for (const [code, type] of [
    ['ENOTFOUND', 'ENOTFOUND'],
    ['ENODATA', 'ENOTFOUND'],
    ['ETIMEOUT', 'TimeoutError'],
    ['EAI_AGAIN', 'TimeoutError'],
  ] as const) {
    test(`a lookup that fails with ${code} is a failure to resolve, ${type}`, () => {
      const failure = failureOf(errorWithCode(code, `queryA ${code}`), 'resolve')
      assert.deepEqual(failure, { stage: 'resolve', type, message: `queryA ${code}` })
    })
  }
})

test('a self dial is the summary only without other failures', () => {
  const self = { stage: 'handshake', type: 'SelfDial', message: '' } as const
  const other = { stage: 'dial', type: 'ECONNREFUSED', message: '' } as const
  assert.equal(summarizeFailures([self, other], []).errorType, 'ECONNREFUSED')
  assert.equal(summarizeFailures([other, self], []).errorType, 'ECONNREFUSED')
  assert.equal(summarizeFailures([self, self], []).errorType, 'SelfDial')
})

test('several failures: the summary is the one that came furthest, its message cut', () => {
  const failures = [
    { stage: 'dial', type: 'A', message: '' },
    { stage: 'identify', type: 'B', message: 'x'.repeat(1_000), address: '/ip4/10.0.0.1/tcp/1' },
    { stage: 'handshake', type: 'C', message: '' },
  ] as const
  const failure = summarizeFailures(failures, ['/ip4/10.0.0.1/tcp/1'])
  assert.deepEqual([failure.stage, failure.errorType, failure.errorMessage.length], ['identify', 'B', 256])
  assert.deepEqual(failure.addresses, ['/ip4/10.0.0.1/tcp/1'])
  assert.equal(failure.address, '/ip4/10.0.0.1/tcp/1')
  assert.equal(summarizeFailures([{ stage: 'resolve', type: 'ENOTFOUND', message: '' }], []).address, undefined)
})

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
