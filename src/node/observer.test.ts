import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { MemberInfo, PeerInfo } from '../kit/views.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { observerView } from './observer.ts'

leakCheck()

const settings = {
  name: 'watcher',
  mesh: 'mesh-a',
  role: 'observer',
  topics: [],
  digestMs: 2_000,
  gossipDigestMs: 10_000,
  query: 'off',
  jaegerUi: 'http://jaeger:16686/',
} as const

const member = (peer: string, changes: Partial<MemberInfo> = {}): MemberInfo => ({
  peer,
  name: `name of ${peer}`,
  role: 'compute',
  meshes: ['mesh-a'],
  incarnation: 1,
  addresses: [],
  topics: [],
  links: [],
  silentMs: 100,
  via: 'link',
  ...changes,
})

const peer = (id: string, kind: PeerInfo['kind']): PeerInfo => ({
  peer: id,
  name: '',
  kind,
  links: [
    {
      id: `link-${id}`,
      connection: 'c',
      state: 'settled',
      direction: 'outbound',
      transport: 'quic',
      address: '/ip4/10.0.0.1/udp/1/quic-v1',
      ageMs: 5,
      trace: 'f'.repeat(32),
    },
  ],
})

function viewOf(members: readonly MemberInfo[], peers: readonly PeerInfo[] = []) {
  const messages = [{ at: 5, direction: 'in', topic: 'news', peer: 'a', bytes: 12 }] as const
  return observerView(settings, {
    topology: { self: 'me', peers, members, topics: {}, addresses: [] },
    messages,
    atMs: 1_000,
  })
}

test('the view of an observer: itself, its members and its guests, none of them controllable', () => {
  const { nodes, self, traces, jaegerUrl } = viewOf([member('a')], [peer('a', 'member'), peer('g', 'guest')])
  const shown = nodes.map(({ id, state, role }) => [id, state, role])
  assert.deepEqual(shown, [
    ['me', 'running', 'observer'],
    ['a', 'running', 'compute'],
    ['g', 'guest', 'guest'],
  ])
  assert.ok(nodes.every(({ controllable }) => !controllable))
  assert.deepEqual([self, traces, jaegerUrl], ['me', false, 'http://jaeger:16686'])
})

test('links of the observer and links that members announce: each is in the view once', () => {
  const members = [member('a', { links: ['me', 'b'] }), member('b', { links: ['a', 'c'] }), member('c')]
  const { links } = viewOf(members, [peer('a', 'member')])
  assert.deepEqual(
    links.map(({ a, b, ends, transport }) => [a, b, ends, transport]),
    [
      ['a', 'me', 2, 'quic'],
      ['a', 'b', 2, ''],
      ['b', 'c', 1, ''],
    ],
  )
})

test('a member that missed several digests is unreachable, by the digest interval of a link or of gossip', () => {
  const { nodes } = viewOf([
    member('a', { silentMs: 7_000 }),
    member('b', { silentMs: 7_000, via: 'gossip' }),
    member('c', { silentMs: 31_000, via: 'gossip' }),
  ])
  const states = nodes.slice(1).map(({ state }) => state)
  assert.deepEqual(states, ['unreachable', 'running', 'unreachable'])
})

test('messages carry the name of their node', () => {
  assert.deepEqual(viewOf([member('a')]).messages, [{ atMs: 5, node: 'name of a', id: 'a', text: '12 bytes on news' }])
})
