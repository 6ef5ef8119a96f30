import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { digestOf } from '../testing/view-fixture.ts'
import type { PathFailure } from './events.ts'
import { newMember } from './member.ts'
import { notePaths } from './member-paths.ts'

leakCheck()

const quic = '/ip4/10.0.0.1/udp/4001/quic-v1'
const tcp = '/ip4/10.0.0.1/tcp/4001'
const addresses = [`${quic}/p2p/p`, `${tcp}/p2p/p`]
const silent = (address: string, errorType = 'TimeoutError'): PathFailure => ({
  ...{ address, errorType, stage: 'dial', errorMessage: 'timed out' },
})

function scene() {
  const member = newMember(digestOf('p', { addresses }), 'link', 0)
  return (worked: readonly string[], ...failed: readonly PathFailure[]) =>
    notePaths(member, { type: 'peer.paths', peer: 'p', worked, failed }).map(
      ({ span, attributes }): Readonly<Record<string, unknown>> => ({ span, ...attributes }),
    )
}

test('an address that does not answer while another does is emitted once, with what works and why it fails', () => {
  const note = scene()
  const [blocked, ...more] = note([tcp], silent(quic))
  assert.equal(blocked?.['span'], 'mesh.path.blocked')
  assert.deepEqual(
    [blocked?.['mesh.path.unreachable'], blocked?.['mesh.path.reached_by'], blocked?.['error.type']],
    [[quic], tcp, 'TimeoutError'],
  )
  assert.deepEqual([more, note([tcp], silent(quic))], [[], []])
})

test('when it works again, that is emitted once', () => {
  const note = scene()
  note([tcp], silent(quic))
  const restored = note([quic])
  assert.deepEqual(
    restored.map(({ span }) => span),
    ['mesh.path.restored'],
  )
  assert.deepEqual(restored[0]?.['mesh.path.restored'], [quic])
  assert.deepEqual(note([quic]), [])
})

test('an address at which somebody else answers is not blocked, and nothing is where all answer', () => {
  const note = scene()
  assert.deepEqual(note([tcp], silent(quic, 'UnexpectedPeer')), [])
  assert.deepEqual(note([quic, tcp]), [])
})

test('addresses that a member announces no more are forgotten', () => {
  const note = scene()
  for (let i = 0; i < 50; i++) note([tcp], silent(`/ip4/10.0.1.${i}/tcp/1`))
  const [last] = note([tcp], silent(quic))
  assert.deepEqual(last?.['mesh.path.unreachable'], [quic])
})
