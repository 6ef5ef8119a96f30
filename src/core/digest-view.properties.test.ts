import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { digestOf, makeView, window } from '../testing/core/view-fixture.ts'
import { forAll } from '../testing/for-all.ts'
import { leakCheck } from '../testing/leak-check.ts'
import type { DigestView, ViewEvent } from './digest-view.ts'
import type { Digest } from './frames.ts'
import { linkSilenceMs } from './link-protocol.ts'

leakCheck()

const windowMs = 30_000
const sweepMs = 5_000

/** Nodes sign their digests, so one (incarnation, sequence) has one content. */
const digest: fc.Arbitrary<Digest> = fc
  .record({ peer: fc.constantFrom('b', 'c', 'd', 'self'), incarnation: fc.nat(2), sequence: fc.nat(6) })
  .map(({ peer, incarnation, sequence }) => {
    const links = sequence % 2 === 0 ? [] : ['b', 'c'].slice(incarnation % 2)
    return digestOf(peer, { incarnation, sequence, topics: [`${incarnation}.${sequence}`], links, sentAt: 0 })
  })

const digests = fc.array(digest, { maxLength: 60, size: 'max' })
const via = fc.constantFrom('link' as const, 'gossip' as const)

function merge(inputs: readonly Digest[], into = makeView()): Record<string, Digest> {
  for (const digest of inputs) into.handle({ type: 'digest', digest, via: 'gossip', wall: 0 }, 0)
  return Object.fromEntries(
    into
      .members()
      .map(({ digest }): [string, Digest] => [digest.peer, digest])
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  )
}

test('merging is commutative and idempotent: order and repetition make no difference', async (t) => {
  const order = digests.chain((inputs) =>
    fc.record({
      inputs: fc.constant(inputs),
      reordered: fc.shuffledSubarray([...inputs, ...inputs], { minLength: 2 * inputs.length }),
    }),
  )
  await forAll({ t }, [order], ({ inputs, reordered }) => assert.deepEqual(merge(reordered), merge(inputs)))
})

test('merging is associative: previously merged digests may be merged as one', (t) =>
  forAll({ t }, [digests, digests, digests], (a, b, c) => {
    const ab = Object.values(merge([...a, ...b]))
    const bc = Object.values(merge([...b, ...c]))
    assert.deepEqual(merge([...ab, ...c]), merge([...a, ...bc]))
  }))

test('merging keeps the highest version', (t) =>
  forAll({ t }, [digests], (inputs) => {
    for (const { peer, incarnation, sequence } of Object.values(merge(inputs))) {
      const versions = inputs.filter((digest) => digest.peer === peer).map((d) => d.incarnation * 1_000 + d.sequence)
      assert.equal(incarnation * 1_000 + sequence, Math.max(...versions))
    }
  }))

const event: fc.Arbitrary<ViewEvent> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ type: fc.constant('digest' as const), digest, via, wall: fc.constant(0) }) },
  fc.record({
    type: fc.constant('unchanged' as const),
    peer: fc.constantFrom('b', 'c', 'x'),
    incarnation: fc.nat(2),
    sequence: fc.nat(9),
  }),
  fc.record({
    type: fc.constant('left' as const),
    peer: fc.constantFrom('b', 'c', 'x'),
    incarnation: fc.nat(2),
    via: fc.constant('link' as const),
  }),
)
const script = fc.array(fc.record({ event, pauseMs: fc.nat(12_000) }), { maxLength: 80, size: 'max' })

/** Plays a script with every tick at its time, and calls `onStep` after each event and tick. */
function play(
  view: DigestView,
  steps: readonly { event: ViewEvent; pauseMs: number }[],
  onStep: (now: number, event: ViewEvent) => void,
): number {
  let now = 0
  const tick = { type: 'tick', window } as const
  for (const { event, pauseMs } of steps) {
    const then = now + pauseMs
    for (let at = view.deadline(); at <= then; at = view.deadline()) {
      view.handle(tick, at)
      onStep(at, tick)
    }
    now = then
    view.handle(event, now)
    onStep(now, event)
  }
  return now
}

test('silence longer than the window and one sweep: not a member', (t) =>
  forAll({ t }, [script], (steps) => {
    const view = makeView()
    play(view, steps, (now) => {
      for (const member of view.members()) assert.ok(now - view.aliveAt(member) <= windowMs + sweepMs)
    })
  }))

test('vouching by neighbours: lasts no longer than the last digest on a link', (t) =>
  forAll({ t }, [script], (steps) => {
    const view = makeView()
    const heardAt: Record<string, number> = {}
    let lastOnLink = -Infinity
    play(view, steps, (now, event) => {
      if (event.type === 'unchanged' || (event.type === 'digest' && event.via === 'link')) lastOnLink = now
      if (event.type === 'unchanged') heardAt[event.peer] = now
      if (event.type === 'digest') heardAt[event.digest.peer] = now
      for (const member of view.members()) {
        const own = heardAt[member.digest.peer] ?? -Infinity
        assert.ok(view.aliveAt(member) <= Math.max(own, lastOnLink - linkSilenceMs))
      }
    })
  }))

test('relayed digest that is not newer: refreshes no member', (t) =>
  forAll({ t }, [script, digest], (steps, relayed) => {
    const view = makeView()
    const now = play(view, steps, () => {})
    const member = view.get(relayed.peer)
    fc.pre(member !== undefined)
    const old = { ...relayed, incarnation: member.digest.incarnation, sequence: member.digest.sequence }
    const before = structuredClone(member)
    assert.deepEqual(view.handle({ type: 'digest', digest: old, via: 'gossip', wall: 0 }, now + 1), [])
    assert.deepEqual(structuredClone(view.get(relayed.peer)), before)
  }))

test('suspended expiry: no member expires', (t) =>
  forAll({ t }, [script], (steps) => {
    const view = makeView()
    view.handle({ type: 'stalled', untilMs: Number.MAX_SAFE_INTEGER }, 0)
    play(view, steps, () => {
      for (const peer of ['b', 'c', 'd']) assert.notEqual(view.get(peer)?.departure, 'expired')
    })
  }))

test('retained member: its version never decreases, and the capacity holds', (t) =>
  forAll({ t }, [script, fc.integer({ min: 1, max: 3 })], (steps, capacity) => {
    const view = makeView({ capacity })
    let before: Record<string, number> = {}
    play(view, steps, () => {
      const peers = ['b', 'c', 'd'].flatMap((peer) => view.get(peer)?.digest ?? [])
      assert.ok(peers.length <= capacity)
      const versions = peers.map(({ peer, incarnation, sequence }): [string, number] => [
        peer,
        incarnation * 1_000 + Math.min(sequence, 999),
      ])
      for (const [peer, version] of versions) assert.ok(version >= (before[peer] ?? 0), peer)
      before = Object.fromEntries(versions)
    })
  }))
