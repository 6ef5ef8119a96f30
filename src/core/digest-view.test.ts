import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  digestOf,
  hear,
  makeView,
  names,
  runUntil,
  spansNamed,
  summary,
  tick,
  wall,
} from '../testing/core/view-fixture.ts'
import { leakCheck } from '../testing/leak-check.ts'
import type { Digest } from './frames.ts'

leakCheck()

test('the first digest of a node makes it a member', () => {
  const view = makeView()
  const effects = hear(view, digestOf('b'), 10, 'gossip')
  assert.deepEqual(summary(effects), ['mesh.member.joined', 'joined'])
  assert.deepEqual(spansNamed(effects, 'mesh.member.joined')[0]?.attributes, {
    'mesh.peer.id': 'b',
    'mesh.peer.name': 'name of b',
    'mesh.peer.incarnation': 1,
    'mesh.peer.role': 'compute',
    'mesh.member.via': 'gossip',
  })
  assert.deepEqual(names(view), ['b'])
})

test('higher (incarnation, sequence): replaces the digest; any other changes nothing', () => {
  const table = [
    [1, 5, false],
    [1, 4, false],
    [1, 6, true],
    [0, 9, false],
    [2, 0, true],
  ] as const
  for (const [incarnation, sequence, newer] of table) {
    const view = makeView()
    hear(view, digestOf('b', { sequence: 5, topics: ['old'] }), 0)
    const effects = hear(view, digestOf('b', { incarnation, sequence, topics: ['new'] }), 7_000)
    assert.deepEqual(summary(effects), incarnation > 1 ? ['renewed'] : [])
    assert.deepEqual(view.get('b')?.digest.topics, newer ? ['new'] : ['old'], `${incarnation}.${sequence}`)
    assert.equal(view.get('b')?.receivedAt, newer ? 7_000 : 0)
  }
})

test('"unchanged" refreshes a member of that incarnation, if its sequence is higher', () => {
  const table = [
    [1, 6, true],
    [1, 5, false],
    [2, 6, false],
    [0, 6, false],
  ] as const
  for (const [incarnation, sequence, refreshes] of table) {
    const view = makeView()
    hear(view, digestOf('b', { sequence: 5, topics: ['t'] }), 0)
    assert.deepEqual(view.handle({ type: 'unchanged', peer: 'b', incarnation, sequence }, 7_000), [])
    assert.equal(view.get('b')?.receivedAt, refreshes ? 7_000 : 0, `${incarnation}.${sequence}`)
    assert.equal(view.get('b')?.digest.sequence, refreshes ? sequence : 5)
    assert.deepEqual(view.get('b')?.digest.topics, ['t'])
  }
})

test('"unchanged" of an unknown or departed peer: adds no member', () => {
  const view = makeView()
  view.handle({ type: 'unchanged', peer: 'b', incarnation: 1, sequence: 2 }, 0)
  assert.deepEqual(names(view), [])
  hear(view, digestOf('b'), 0)
  view.handle({ type: 'left', peer: 'b', incarnation: 1 }, 1)
  view.handle({ type: 'unchanged', peer: 'b', incarnation: 1, sequence: 2 }, 2)
  assert.deepEqual(names(view), [])
  assert.equal(view.get('b')?.state, 'departed')
})

test('a digest about this node itself is ignored', () => {
  const view = makeView()
  assert.deepEqual(hear(view, digestOf('self'), 0), [])
  assert.equal(view.get('self'), undefined)
})

test('retained departed member: an old digest does not bring it back, a newer one does', () => {
  const view = makeView()
  tick(view, 0)
  hear(view, digestOf('b', { sequence: 9 }), 0)
  runUntil(view, 35_000)
  assert.deepEqual(hear(view, digestOf('b', { sequence: 9 }), 36_000), [])
  const again = hear(view, digestOf('b', { sequence: 10 }), 37_000)
  assert.deepEqual(summary(again), ['renewed', 'mesh.member.joined', 'joined'])
  assert.deepEqual(names(view), ['b'])
})

test('a goodbye makes the member leave at once', () => {
  const view = makeView()
  hear(view, digestOf('b', { incarnation: 3 }), 0)
  const effects = view.handle({ type: 'left', peer: 'b', incarnation: 3 }, 50)
  assert.deepEqual(summary(effects), ['mesh.member.left', 'departed'])
  assert.deepEqual(effects.at(-1), { do: 'departed', peer: 'b', departure: 'left' })
  assert.deepEqual(names(view), [])
  assert.equal(view.get('b')?.departure, 'left')
  assert.deepEqual(view.handle({ type: 'left', peer: 'b', incarnation: 3 }, 60), [], 'only once')
})

test('late digests of an incarnation that said goodbye: ignored; its next incarnation joins', () => {
  const view = makeView()
  hear(view, digestOf('b', { incarnation: 3, sequence: 7 }), 0)
  view.handle({ type: 'left', peer: 'b', incarnation: 3 }, 50)
  assert.deepEqual(hear(view, digestOf('b', { incarnation: 3, sequence: 8 }), 60, 'gossip'), [])
  assert.deepEqual(names(view), [])
  const again = hear(view, digestOf('b', { incarnation: 4, sequence: 1 }), 70)
  assert.deepEqual(summary(again), ['renewed', 'mesh.member.joined', 'joined'])
})

test('goodbye of an earlier incarnation: the running one stays', () => {
  const view = makeView()
  hear(view, digestOf('b', { incarnation: 3 }), 0)
  assert.deepEqual(view.handle({ type: 'left', peer: 'b', incarnation: 2 }, 50), [])
  assert.deepEqual(names(view), ['b'])
})

test('goodbye of a later incarnation: the member leaves', () => {
  const view = makeView()
  hear(view, digestOf('b', { incarnation: 3, sequence: 7 }), 0)
  view.handle({ type: 'left', peer: 'b', incarnation: 4 }, 50)
  assert.deepEqual(hear(view, digestOf('b', { incarnation: 3, sequence: 8 }), 60), [])
  assert.deepEqual(names(view), [])
})

test('goodbye of an unknown peer: ignored', () => {
  assert.deepEqual(makeView().handle({ type: 'left', peer: 'b', incarnation: 1 }, 0), [])
})

test('clock skew above the limit: emitted with the skew', () => {
  const view = makeView()
  const skews = [5_000, 5_001].map((skew, i) =>
    spansNamed(hear(view, digestOf('b', { sequence: i + 1, sentAt: wall + skew }), i), 'mesh.clock.skewed').map(
      ({ attributes }) => attributes['mesh.clock.skew_ms'],
    ),
  )
  assert.deepEqual(skews, [[], [5_001]])
})

test('digest over gossip: no estimate of the clock', () => {
  const effects = hear(makeView(), digestOf('b', { sentAt: 0 }), 0, 'gossip')
  assert.deepEqual(spansNamed(effects, 'mesh.clock.skewed'), [])
})

test('view full of members: refuses a new one, with at most one span a second', () => {
  const view = makeView({ capacity: 2 })
  for (const peer of ['b', 'c']) hear(view, digestOf(peer), 0)
  const refused = hear(view, digestOf('d'), 10)
  assert.deepEqual(spansNamed(refused, 'mesh.limit.reached')[0]?.attributes, {
    'mesh.limit.name': 'members',
    'mesh.limit.value': 2,
    'mesh.limit.action': 'refused',
    'mesh.peer.id': 'd',
  })
  assert.deepEqual(hear(view, digestOf('e'), 1_009), [])
  assert.equal(hear(view, digestOf('e'), 1_010).length, 1)
  assert.deepEqual(names(view), ['b', 'c'])
})

test('full view: evicts the member that departed first', () => {
  const view = makeView({ capacity: 3 })
  for (const peer of ['b', 'c', 'd']) hear(view, digestOf(peer), 0)
  for (const [peer, now] of [
    ['d', 10],
    ['c', 20],
  ] as const)
    view.handle({ type: 'left', peer, incarnation: 1 }, now)
  const effects = hear(view, digestOf('e'), 30)
  assert.deepEqual(summary(effects), ['mesh.limit.reached', 'mesh.member.joined', 'joined'])
  assert.equal(spansNamed(effects, 'mesh.limit.reached')[0]?.attributes['mesh.limit.action'], 'evicted')
  assert.deepEqual(names(view), ['b', 'e'])
  assert.equal(view.get('d'), undefined)
  assert.equal(view.get('c')?.state, 'departed')
})

test('topology and topics: from the digests of current members only', () => {
  const view = makeView()
  hear(view, digestOf('b', { topics: ['weather', '__proto__'], links: ['c'], role: 'gateway' }), 0)
  hear(view, digestOf('c', { topics: ['weather', 'weather'] }), 0)
  assert.deepEqual(view.topology(), [
    { peer: 'b', name: 'name of b', role: 'gateway', links: ['c'] },
    { peer: 'c', name: 'name of c', role: 'compute', links: [] },
  ])
  assert.deepEqual(
    [...view.topics()],
    [
      ['weather', ['b', 'c']],
      ['__proto__', ['b']],
    ],
  )
  view.handle({ type: 'left', peer: 'b', incarnation: 1 }, 1)
  assert.deepEqual([...view.topics()], [['weather', ['c']]])
  assert.deepEqual(
    view.topology().map(({ peer }) => peer),
    ['c'],
  )
})

test('known member with a new address or start: renewed', () => {
  const view = makeView()
  const at = (host: number) => [`/ip4/10.0.0.${host}/tcp/4001`]
  const renewals = (changes: Partial<Digest>, now: number) =>
    hear(view, digestOf('b', changes), now).filter((effect) => effect.do === 'renewed')
  assert.deepEqual(renewals({ addresses: [...at(1), ...at(2)] }, 0), [], 'a new member')
  assert.deepEqual(renewals({ sequence: 2, addresses: at(1) }, 1), [], 'fewer addresses')
  const moved = { do: 'renewed', peer: 'b', hasRestarted: false, hasMoved: true }
  assert.deepEqual(renewals({ sequence: 3, addresses: at(3) }, 2), [moved])
  const restarted = { do: 'renewed', peer: 'b', hasRestarted: true, hasMoved: false }
  assert.deepEqual(renewals({ incarnation: 2, addresses: at(3) }, 3), [restarted])
  view.handle({ type: 'left', peer: 'b', incarnation: 2 }, 4)
  assert.deepEqual(renewals({ incarnation: 3, addresses: at(3) }, 5), [restarted])
})

test('released member with two processes: no longer contested, also when the peer joins again', () => {
  const view = makeView()
  hear(view, digestOf('b'), 0)
  for (const now of [0, 20_000])
    for (const instance of ['x', 'y'])
      view.handle({ type: 'sighted', peer: 'b', report: { instance, address: '/a', via: 'link' } }, now)
  assert.deepEqual(
    view.contested().map(({ digest }) => digest.peer),
    ['b'],
  )
  runUntil(view, 200_000)
  assert.equal(view.get('b'), undefined)
  hear(view, digestOf('b', { incarnation: 2 }), 200_000)
  assert.deepEqual(view.contested(), [])
})
