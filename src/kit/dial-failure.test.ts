import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { failureOf, summarizeFailures } from './dial-failure.ts'

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
