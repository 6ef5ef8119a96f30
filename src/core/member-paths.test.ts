import assert from 'node:assert/strict'
import { test } from 'node:test'
import { infoOf, joinLink, makeLedger, makeNode } from '../testing/core/node-fixture.ts'
import { digestOf, hear, makeView, spansNamed, wall } from '../testing/core/view-fixture.ts'
import { leakCheck } from '../testing/leak-check.ts'
import type { NodeEvent, PathFailure } from './events.ts'
import { limits } from './limits.ts'
import { Member } from './member.ts'
import { MemberPaths, notePaths } from './member-paths.ts'

leakCheck()

const quic = '/ip4/10.0.0.1/udp/4001/quic-v1'
const tcp = '/ip4/10.0.0.1/tcp/4001'
const addresses = [`${quic}/p2p/p`, `${tcp}/p2p/p`]
const silent = (address: string, errorType = 'TimeoutError'): PathFailure => ({
  ...{ address, errorType, stage: 'dial', errorMessage: 'timed out' },
})

const pathsOf = (blocked: Readonly<Record<string, unknown>> | undefined) =>
  ['mesh.path.unreachable', 'mesh.path.reached_by', 'error.type'].map((name) => blocked?.[name])

function noteFixture() {
  const member = new Member(digestOf('p', { addresses }), 'link', 0)
  return (worked: readonly string[], ...failed: readonly PathFailure[]) =>
    notePaths(member, { workingAddresses: worked, failures: failed }).map(
      ({ span, attributes }): Readonly<Record<string, unknown>> => ({ span, ...attributes }),
    )
}

test('address that does not answer while another does: emitted once, with the working address and the error', () => {
  const note = noteFixture()
  const [blocked, ...more] = note([tcp], silent(quic))
  assert.equal(blocked?.['span'], 'mesh.path.blocked')
  assert.deepEqual(pathsOf(blocked), [[quic], tcp, 'TimeoutError'])
  assert.deepEqual([more, note([tcp], silent(quic))], [[], []])
})

test('blocked address that answers again: emitted once', () => {
  const note = noteFixture()
  note([tcp], silent(quic))
  const restored = note([quic])
  const spans = restored.map(({ span }) => span)
  assert.deepEqual(spans, ['mesh.path.restored'])
  assert.deepEqual(restored[0]?.['mesh.path.restored'], [quic])
  assert.deepEqual(note([quic]), [])
})

test('address of another node, or all addresses answer: nothing blocked', () => {
  const note = noteFixture()
  assert.deepEqual(note([tcp], silent(quic, 'UnexpectedPeer')), [])
  assert.deepEqual(note([quic, tcp]), [])
})

test('addresses that a member no longer announces: removed from the blocked ones', () => {
  const note = noteFixture()
  for (let i = 0; i < 50; i++) note([tcp], silent(`/ip4/10.0.1.${i}/tcp/1`))
  const [last] = note([tcp], silent(quic))
  assert.deepEqual(last?.['mesh.path.unreachable'], [quic])
})

const connection = infoOf({ direction: 'outbound', address: tcp })

/** A ledger with one connection to a peer without a digest. */
function firstContact() {
  const view = makeView()
  const ledger = makeLedger()
  ledger.handle({ type: 'observed', connections: [connection] }, 0)
  return { view, ledger, paths: new MemberPaths(view, ledger) }
}

test('blocked address at the first dial: emitted once, with the first digest', () => {
  const { view, paths } = firstContact()
  const unreachable = silent('/ip6/2001:db8::1/udp/1/quic-v1', 'ENETUNREACH')
  assert.deepEqual(paths.onTried({ peer: 'p', workingAddresses: [tcp], failures: [unreachable] }), [])
  hear(view, digestOf('p', { addresses }), 0)
  const [blocked, ...more] = paths.onMember('p')
  assert.deepEqual(pathsOf({ ...blocked?.attributes }), [[unreachable.address], tcp, 'ENETUNREACH'])
  assert.deepEqual([more, paths.onMember('p')], [[], []])
})

test('several dials before the first digest: the latest result per address counts, up to a limit', () => {
  const { view, ledger, paths } = firstContact()
  paths.onTried({ peer: 'p', workingAddresses: [tcp], failures: [silent(quic)] })
  paths.onTried({ peer: 'p', workingAddresses: [quic], failures: [] })
  for (let i = 0; i < 100; i++)
    paths.onTried({
      peer: 'p',
      workingAddresses: [`/ip4/10.0.1.${i}/tcp/1`],
      failures: [silent(`/ip4/10.0.2.${i}/tcp/1`)],
    })
  const { workingAddresses = [], failures = [] } = ledger.get('p')?.paths ?? {}
  assert.deepEqual([workingAddresses.length, failures.length], Array(2).fill(limits.digestAddresses))
  hear(view, digestOf('p', { addresses }), 0)
  const [blocked] = paths.onMember('p')
  assert.equal(JSON.stringify(blocked).includes(quic), false)
})

test('report of a first dial: dropped with the last connection, and ignored without one', () => {
  const { view, ledger, paths } = firstContact()
  paths.onTried({ peer: 'p', workingAddresses: [tcp], failures: [silent(quic)] })
  paths.onTried({ peer: 'q', workingAddresses: [tcp], failures: [silent(quic)] })
  ledger.handle({ type: 'observed', connections: [] }, 0)
  for (const peer of ['p', 'q']) {
    hear(view, digestOf(peer, { addresses }), 0)
    assert.deepEqual(paths.onMember(peer), [])
  }
})

test('node: emits the blocked addresses of its first dial of a seed with the seed’s digest', () => {
  const node = makeNode()
  const pathSpans = (event: NodeEvent) => spansNamed(node.handle(event, 1), 'mesh.path.blocked').length
  const frame = { type: 'digest', digest: digestOf('p', { addresses }) } as const
  node.handle({ type: 'started', settings: [] }, 1)
  node.handle({ type: 'observed', connections: [connection] }, 1)
  assert.equal(pathSpans({ type: 'peer.paths', peer: 'p', workingAddresses: [tcp], failures: [silent(quic)] }), 0)
  joinLink(node, connection.id, 1)
  assert.equal(pathSpans({ type: 'frame', connection: connection.id, frame, wall }), 1)
})
