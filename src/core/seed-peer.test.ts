import assert from 'node:assert/strict'
import { test } from 'node:test'
import { infoOf, joinLink, makeLedger } from '../testing/core/node-fixture.ts'
import { digestOf, hear, makeView } from '../testing/core/view-fixture.ts'
import { leakCheck } from '../testing/leak-check.ts'
import type { SeedView } from './seed-dialler.ts'
import { findLinkedPeer } from './seed-peer.ts'

leakCheck()

const quic = (host: string, port = 4001) => `/ip4/${host}/udp/${port}/quic-v1`
const tcp = (host: string, port = 4001) => `/ip4/${host}/tcp/${port}`

/** A node that is linked to one peer over TCP, with that peer's digest. */
function fixture({
  host = '10.0.0.1',
  announced = [] as readonly string[],
  others = [] as readonly string[][],
  isLimited = false,
}) {
  const view = makeView()
  const ledger = makeLedger()
  const info = infoOf({ peer: 'peer-a', direction: 'outbound', address: tcp(host), isLimited })
  ledger.handle({ type: 'observed', connections: [info] }, 0)
  joinLink(ledger, info.id)
  hear(view, digestOf('peer-a', { addresses: announced }), 0)
  for (const [index, addresses] of others.entries()) hear(view, digestOf(`other-${index}`, { addresses }), 0)
  return (seed: string, seeds: readonly Partial<SeedView>[] = [], addresses: readonly string[] = [seed]) => {
    const failure = { stage: 'dial', addresses, errorType: 'TimeoutError', errorMessage: '' } as const
    return findLinkedPeer(seed, failure, seeds as SeedView[], view, ledger)?.peer
  }
}

test('seed with a peer id: belongs to that peer', () => {
  const findPeer = fixture({})
  assert.equal(findPeer(`${quic('10.9.9.9')}/p2p/peer-a`), 'peer-a')
  assert.equal(findPeer(`${quic('10.0.0.1')}/p2p/peer-b`), undefined)
})

test('seed at the host and port of one that answered over another transport: belongs to its peer', () => {
  const findPeer = fixture({})
  const sibling = { address: tcp('10.0.0.1'), peer: 'peer-a' }
  assert.equal(findPeer(quic('10.0.0.1'), [sibling]), 'peer-a')
  assert.equal(findPeer(quic('10.0.0.1', 4002), [sibling]), undefined, 'another port may be another node')
  assert.equal(findPeer(quic('10.0.0.2'), [sibling]), undefined, 'another host')
  assert.equal(
    findPeer(quic('10.0.0.1'), [{ ...sibling, peer: 'peer-b' }]),
    undefined,
    'the peer that answered there is not linked',
  )
})

test('one DNS name with both transports: the dialled address decides', () => {
  const findPeer = fixture({})
  const sibling = { address: '/dns4/seed.example/tcp/4001', peer: 'peer-a' }
  const seed = '/dns4/seed.example/udp/4001/quic-v1'
  assert.equal(findPeer(seed, [sibling], [quic('10.0.0.1')]), 'peer-a')
  assert.equal(findPeer(seed, [sibling], [quic('10.0.0.7')]), undefined, 'the name leads to another machine for UDP')
})

test('seed that answered before: belongs to its peer while that is linked from the same host', () => {
  const seed = { address: quic('10.0.0.1'), peer: 'peer-a' }
  assert.equal(fixture({})(quic('10.0.0.1'), [seed]), 'peer-a')
  assert.equal(fixture({ host: '10.0.0.2' })(quic('10.0.0.1'), [seed]), undefined)
})

test('seed whose address one member announces: belongs to it if it is linked from that host', () => {
  const announced = [`${quic('10.0.0.1', 4002)}/p2p/peer-a`]
  assert.equal(fixture({ announced })(quic('10.0.0.1', 4002)), 'peer-a')
  const mapped = '/ip6/::ffff:10.0.0.1/udp/4002/quic-v1'
  assert.equal(fixture({ announced })(mapped), 'peer-a', 'one address in two spellings')
  const longForm = '/ip6/2001:db8:0:0::1/tcp/4001'
  const ip6 = '/ip6/2001:db8::1/tcp/4001'
  const findIp6Peer = fixture({ announced: [ip6] })
  assert.equal(findIp6Peer(longForm), undefined, 'it is linked from another host')
  assert.equal(findIp6Peer(longForm, [{ address: longForm, peer: 'peer-a' }]), 'peer-a', 'it answered there before')
  assert.equal(findIp6Peer(longForm, [{ address: tcp('10.0.0.1'), peer: 'peer-a' }]), 'peer-a', 'it is another seed')
  assert.equal(findIp6Peer(longForm, [{ address: longForm, peer: 'peer-b' }]), undefined, 'another peer answered there')
})

test('announcement alone: does not make a member the owner of a seed', () => {
  const seed = quic('45.79.10.1')
  assert.equal(fixture({ host: '6.6.6.6', announced: [tcp('6.6.6.6'), seed] })(seed), undefined)
  // The member has a docker0 with the same address as the host of the seed.
  assert.equal(fixture({ announced: [tcp('10.0.0.1'), quic('172.17.0.1')] })(quic('172.17.0.1')), undefined)
  const relayed = fixture({ host: '45.79.10.1', announced: [seed], isLimited: true })
  assert.equal(relayed(seed), undefined, 'the host is that of its relay')
  assert.equal(fixture({ host: 'no-ip', announced: ['/unix/x'] })('/unix/x'), undefined, 'an address without host')
})

test('no proof: address of two members, address of every machine, or a member that is not linked', () => {
  const bridge = quic('172.17.0.1')
  assert.equal(fixture({ announced: [bridge], others: [[bridge]] })(bridge), undefined)
  assert.equal(fixture({ announced: [quic('127.0.0.1')] })(quic('127.0.0.1')), undefined)
  assert.equal(fixture({ others: [[quic('10.0.0.9')]] })(quic('10.0.0.9')), undefined)
  assert.equal(fixture({})(quic('10.0.0.9')), undefined)
})
