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
  window,
} from '../testing/core/view-fixture.ts'
import { leakCheck } from '../testing/leak-check.ts'
import type { Digest } from './frames.ts'

leakCheck()

/** A view whose sweeps began at time 0. */
function sweepingView() {
  const view = makeView()
  tick(view, 0)
  return view
}

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
  view.handle({ type: 'left', peer: 'b', incarnation: 1, via: 'link' }, 1)
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
  const view = sweepingView()
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
  const effects = view.handle({ type: 'left', peer: 'b', incarnation: 3, via: 'link' }, 50)
  assert.deepEqual(summary(effects), ['mesh.member.left'])
  assert.deepEqual(names(view), [])
  assert.equal(view.get('b')?.departure, 'left')
  assert.deepEqual(view.handle({ type: 'left', peer: 'b', incarnation: 3, via: 'link' }, 60), [], 'only once')
})

test('late digests of an incarnation that said goodbye: ignored; its next incarnation joins', () => {
  const view = makeView()
  hear(view, digestOf('b', { incarnation: 3, sequence: 7 }), 0)
  view.handle({ type: 'left', peer: 'b', incarnation: 3, via: 'link' }, 50)
  assert.deepEqual(hear(view, digestOf('b', { incarnation: 3, sequence: 8 }), 60, 'gossip'), [])
  assert.deepEqual(names(view), [])
  const again = hear(view, digestOf('b', { incarnation: 4, sequence: 1 }), 70)
  assert.deepEqual(summary(again), ['renewed', 'mesh.member.joined', 'joined'])
})

test('goodbye of an earlier incarnation: the running one stays; of a later one: the member leaves', () => {
  const view = makeView()
  hear(view, digestOf('b', { incarnation: 3, sequence: 7 }), 0)
  assert.deepEqual(view.handle({ type: 'left', peer: 'b', incarnation: 2, via: 'link' }, 50), [])
  assert.deepEqual(names(view), ['b'])
  view.handle({ type: 'left', peer: 'b', incarnation: 4, via: 'link' }, 60)
  assert.deepEqual(hear(view, digestOf('b', { incarnation: 3, sequence: 8 }), 70), [])
  assert.deepEqual(names(view), [])
})

test('goodbye of another process with the same identity and start count: the one that this node knows stays', () => {
  const view = makeView()
  hear(view, digestOf('b', { incarnation: 3, instance: 'one' }), 0, 'gossip')
  const goodbye = { type: 'left', peer: 'b', incarnation: 3, via: 'gossip' } as const
  assert.deepEqual(view.handle({ ...goodbye, instance: 'two' }, 50), [])
  assert.equal(view.get('b')?.state, 'member')
  assert.deepEqual(summary(view.handle({ ...goodbye, instance: 'one' }, 60)), ['mesh.member.left'])
})

test('goodbye of an unknown peer: ignored', () => {
  assert.deepEqual(makeView().handle({ type: 'left', peer: 'b', incarnation: 1, via: 'link' }, 0), [])
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
    'mesh.limit.total': 1,
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
    view.handle({ type: 'left', peer, incarnation: 1, via: 'link' }, now)
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
  view.handle({ type: 'left', peer: 'b', incarnation: 1, via: 'link' }, 1)
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
  view.handle({ type: 'left', peer: 'b', incarnation: 2, via: 'link' }, 4)
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

test('without members: the first sweep is 5 s after the first tick, then every 5 s, each with a span', () => {
  const view = makeView()
  assert.deepEqual(tick(view, 1_000), [])
  assert.equal(view.deadline(), 6_000)
  assert.deepEqual(tick(view, 5_999), [])
  const [pruned] = spansNamed(tick(view, 6_000), 'mesh.staleness.pruned')
  assert.deepEqual(pruned?.attributes, {
    'mesh.pruned.count': 0,
    'mesh.pruned.peers': [],
    'mesh.pruned.remaining': 0,
    'mesh.pruned.remaining_band': '0',
    'mesh.pruned.suspended': false,
  })
  assert.equal(view.deadline(), 11_000)
})

test('late tick: one sweep without catching up; slight lateness does not shift the interval', () => {
  const view = sweepingView()
  assert.equal(spansNamed(tick(view, 5_300), 'mesh.staleness.pruned').length, 1)
  assert.equal(view.deadline(), 10_000)
  assert.equal(spansNamed(tick(view, 33_000), 'mesh.staleness.pruned').length, 1)
  assert.equal(view.deadline(), 38_000)
})

test('member silent for longer than the window: expires in the next sweep, as its child span', () => {
  const view = sweepingView()
  hear(view, digestOf('b'), 100)
  hear(view, digestOf('c'), 10_000)
  assert.equal(spansNamed(runUntil(view, 30_000), 'mesh.member.expired').length, 0)
  const effects = tick(view, 35_000)
  assert.deepEqual(summary(effects), ['mesh.staleness.pruned', 'mesh.member.expired'])
  const [pruned] = spansNamed(effects, 'mesh.staleness.pruned')
  const [expired] = spansNamed(effects, 'mesh.member.expired')
  assert.deepEqual(pruned?.parent, window)
  assert.deepEqual(expired?.parent, pruned?.ref)
  assert.equal(pruned?.ref?.traceId, window.traceId)
  assert.deepEqual(pruned?.attributes['mesh.pruned.peers'], ['b'])
  assert.equal(pruned?.attributes['mesh.pruned.remaining'], 1)
  assert.equal(expired?.attributes['mesh.member.silence_ms'], 34_900)
  assert.equal(expired?.attributes['mesh.member.window_ms'], 30_000)
  assert.equal(view.get('b')?.departure, 'expired')
  assert.deepEqual(names(view), ['c'])
})

test('silence of exactly the window: the member stays', () => {
  const view = sweepingView()
  hear(view, digestOf('b'), 0)
  assert.deepEqual(summary(runUntil(view, 30_000)), Array(6).fill('mesh.staleness.pruned'))
})

test('digest interval: the window grows with it, up to a maximum', () => {
  const table = [
    [2_000, 30_000],
    [10_000, 30_000],
    [20_000, 60_000],
    [1e12, 600_000],
  ] as const
  for (const [intervalMs, windowMs] of table) {
    const view = sweepingView()
    hear(view, digestOf('b', { intervalMs }), 0)
    assert.equal(spansNamed(runUntil(view, windowMs), 'mesh.member.expired').length, 0)
    assert.equal(
      spansNamed(runUntil(view, windowMs + 5_000), 'mesh.member.expired').length,
      1,
      `interval ${intervalMs}`,
    )
  }
})

test('member without a link: stays while a neighbour lists it as linked, and one window longer', () => {
  const view = sweepingView()
  const seldom = { intervalMs: 60_000 }
  hear(view, digestOf('far', seldom), 0, 'gossip')
  hear(view, digestOf('unnamed', seldom), 0, 'gossip')
  const speak = (now: number, links: readonly string[]) => {
    hear(view, digestOf('near', { sequence: now, links }), now)
    return spansNamed(runUntil(view, now + 1_999), 'mesh.member.expired')
  }
  let sequence = 0
  for (let now = 2_000; now <= 120_000; now += 2_000) {
    // Its own gossip is too rare to keep it alive.
    if (now % 60_000 === 0) hear(view, digestOf('far', { ...seldom, sequence: ++sequence + 1 }), now, 'gossip')
    assert.deepEqual(speak(now, ['far', 'self']), [], `at ${now}`)
  }
  const late: { at: number; peer: string; silence: number }[] = []
  for (let now = 122_000; now <= 190_000; now += 2_000) {
    for (const { attributes } of speak(now, ['self'])) {
      late.push({ at: now, peer: attributes['mesh.peer.id'], silence: attributes['mesh.member.silence_ms'] })
    }
  }
  assert.deepEqual(
    late.map(({ peer }) => peer),
    ['far', 'unnamed'],
  )
  const [far, unnamed] = late
  // The neighbour listed it last at 120 s, so it was alive at 116.5 s; its own gossip arrived last at 120 s.
  assert.ok(far && far.at >= 148_000 && far.at <= 155_000, `expired at ${far?.at}`)
  assert.ok(unnamed && unnamed.silence > 180_000, 'without vouching its own interval counts')
})

test('list of links of an unlinked or silent member: keeps no member alive', () => {
  const view = sweepingView()
  hear(view, digestOf('far'), 0, 'gossip')
  hear(view, digestOf('near', { links: ['far'] }), 0)
  for (let now = 2_000; now <= 60_000; now += 2_000) {
    hear(view, digestOf('other', { sequence: now, links: ['far'] }), now, 'gossip')
    runUntil(view, now)
  }
  assert.deepEqual(names(view), ['other'])
})

test('member with a link: the interval on the link determines its window, not that over gossip', () => {
  const view = sweepingView()
  hear(view, digestOf('b'), 0)
  hear(view, digestOf('b', { sequence: 2, intervalMs: 60_000 }), 1_000, 'gossip')
  const expired = spansNamed(runUntil(view, 35_000), 'mesh.member.expired')
  assert.equal(expired[0]?.attributes['mesh.member.window_ms'], 30_000)
})

test('40 expired members: the sweep lists 32, and each has a span', () => {
  const view = sweepingView()
  for (let i = 0; i < 40; i++) hear(view, digestOf(`peer-${i}`), 0)
  const effects = runUntil(view, 35_000)
  const last = spansNamed(effects, 'mesh.staleness.pruned').at(-1)
  assert.equal(last?.attributes['mesh.pruned.count'], 40)
  assert.equal(last?.attributes['mesh.pruned.peers'].length, 32)
  assert.equal(spansNamed(effects, 'mesh.member.expired').length, 40)
})

test('departed member: retained for four windows, then released by the sweep', () => {
  const view = sweepingView()
  hear(view, digestOf('b'), 0)
  view.handle({ type: 'left', peer: 'b', incarnation: 1, via: 'link' }, 1_000)
  runUntil(view, 120_000)
  assert.equal(view.get('b')?.state, 'departed')
  runUntil(view, 125_000)
  assert.equal(view.get('b'), undefined)
})

test('after a suspension: no member expires until the node has listened for long enough, and sweeps say so', () => {
  const view = sweepingView()
  hear(view, digestOf('b'), 0)
  hear(view, digestOf('c'), 0)
  view.handle({ type: 'stalled', untilMs: 75_000 }, 45_000)
  view.handle({ type: 'stalled', untilMs: 60_000 }, 45_000)
  const suspended = runUntil(view, 74_999)
  assert.equal(spansNamed(suspended, 'mesh.member.expired').length, 0)
  assert.equal(spansNamed(suspended, 'mesh.staleness.pruned').at(-1)?.attributes['mesh.pruned.suspended'], true)
  hear(view, digestOf('c', { sequence: 2 }), 60_000)
  const after = runUntil(view, 80_000)
  assert.deepEqual(
    spansNamed(after, 'mesh.member.expired').map(({ attributes }) => attributes['mesh.peer.id']),
    ['b'],
  )
  assert.equal(spansNamed(after, 'mesh.staleness.pruned').at(-1)?.attributes['mesh.pruned.suspended'], false)
})

test('after a suspension: departed members are retained meanwhile', () => {
  const view = sweepingView()
  hear(view, digestOf('b'), 0)
  view.handle({ type: 'left', peer: 'b', incarnation: 1, via: 'link' }, 0)
  view.handle({ type: 'stalled', untilMs: 200_000 }, 100_000)
  runUntil(view, 199_999)
  assert.equal(view.get('b')?.state, 'departed')
  runUntil(view, 200_000)
  assert.equal(view.get('b'), undefined)
})
