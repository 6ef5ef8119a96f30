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
  window,
} from '../testing/core/view-fixture.ts'
import { leakCheck } from '../testing/leak-check.ts'

leakCheck()

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
  const view = makeView()
  tick(view, 0)
  assert.equal(spansNamed(tick(view, 5_300), 'mesh.staleness.pruned').length, 1)
  assert.equal(view.deadline(), 10_000)
  assert.equal(spansNamed(tick(view, 33_000), 'mesh.staleness.pruned').length, 1)
  assert.equal(view.deadline(), 38_000)
})

test('member silent for longer than the window: expires in the next sweep, as its child span', () => {
  const view = makeView()
  tick(view, 0)
  hear(view, digestOf('b'), 100)
  hear(view, digestOf('c'), 10_000)
  assert.equal(spansNamed(runUntil(view, 30_000), 'mesh.member.expired').length, 0)
  const effects = tick(view, 35_000)
  assert.deepEqual(summary(effects), ['mesh.staleness.pruned', 'mesh.member.expired', 'departed'])
  const [pruned] = spansNamed(effects, 'mesh.staleness.pruned')
  const [expired] = spansNamed(effects, 'mesh.member.expired')
  assert.deepEqual(pruned?.parent, window)
  assert.deepEqual(expired?.parent, pruned?.ref)
  assert.equal(pruned?.ref?.traceId, window.traceId)
  assert.deepEqual(pruned?.attributes['mesh.pruned.peers'], ['b'])
  assert.equal(pruned?.attributes['mesh.pruned.remaining'], 1)
  assert.equal(expired?.attributes['mesh.member.silence_ms'], 34_900)
  assert.equal(expired?.attributes['mesh.member.window_ms'], 30_000)
  assert.deepEqual(effects.at(-1), { do: 'departed', peer: 'b', departure: 'expired' })
  assert.deepEqual(names(view), ['c'])
})

test('silence of exactly the window: the member stays', () => {
  const view = makeView()
  tick(view, 0)
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
    const view = makeView()
    tick(view, 0)
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
  const view = makeView()
  tick(view, 0)
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
  const view = makeView()
  tick(view, 0)
  hear(view, digestOf('far'), 0, 'gossip')
  hear(view, digestOf('near', { links: ['far'] }), 0)
  for (let now = 2_000; now <= 60_000; now += 2_000) {
    hear(view, digestOf('other', { sequence: now, links: ['far'] }), now, 'gossip')
    runUntil(view, now)
  }
  assert.deepEqual(names(view), ['other'])
})

test('member with a link: the interval on the link determines its window, not that over gossip', () => {
  const view = makeView()
  tick(view, 0)
  hear(view, digestOf('b'), 0)
  hear(view, digestOf('b', { sequence: 2, intervalMs: 60_000 }), 1_000, 'gossip')
  const expired = spansNamed(runUntil(view, 35_000), 'mesh.member.expired')
  assert.equal(expired[0]?.attributes['mesh.member.window_ms'], 30_000)
})

test('40 expired members: the sweep lists 32, and each has a span', () => {
  const view = makeView()
  tick(view, 0)
  for (let i = 0; i < 40; i++) hear(view, digestOf(`peer-${i}`), 0)
  const effects = runUntil(view, 35_000)
  const last = spansNamed(effects, 'mesh.staleness.pruned').at(-1)
  assert.equal(last?.attributes['mesh.pruned.count'], 40)
  assert.equal(last?.attributes['mesh.pruned.peers'].length, 32)
  assert.equal(spansNamed(effects, 'mesh.member.expired').length, 40)
})

test('relayed old digest: does not keep its node alive', () => {
  const view = makeView()
  tick(view, 0)
  for (let now = 0; now <= 35_000; now += 1_000) {
    hear(view, digestOf('b', { sequence: 9 }), now, 'gossip')
    runUntil(view, now)
  }
  assert.deepEqual(names(view), [])
})

test('departed member: retained for four windows, then released by the sweep', () => {
  const view = makeView()
  tick(view, 0)
  hear(view, digestOf('b'), 0)
  view.handle({ type: 'left', peer: 'b', incarnation: 1 }, 1_000)
  runUntil(view, 120_000)
  assert.equal(view.get('b')?.state, 'departed')
  runUntil(view, 125_000)
  assert.equal(view.get('b'), undefined)
})

test('after a suspension: no member expires until the node has listened for long enough, and sweeps say so', () => {
  const view = makeView()
  tick(view, 0)
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
  const view = makeView()
  tick(view, 0)
  hear(view, digestOf('b'), 0)
  view.handle({ type: 'left', peer: 'b', incarnation: 1 }, 0)
  view.handle({ type: 'stalled', untilMs: 200_000 }, 100_000)
  runUntil(view, 199_999)
  assert.equal(view.get('b')?.state, 'departed')
  runUntil(view, 200_000)
  assert.equal(view.get('b'), undefined)
})
