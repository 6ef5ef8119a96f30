import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SpanEffect, SpanEffectOf } from '../catalogue/span-effect.ts'
import { refusal } from '../testing/core/seed-player.ts'
import { digestOf, hear } from '../testing/core/view-fixture.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { seededRandom } from '../testing/random.ts'
import { VirtualClock } from '../testing/sim/virtual-clock.ts'
import { ConnectionLedger } from './connection-ledger.ts'
import { DigestView } from './digest-view.ts'
import type { DialFailure } from './events.ts'
import { type DialRecord, newDialRecord } from './member.ts'
import { allowRedial, type NeighbourEvent, Neighbours } from './neighbours.ts'
import { Owner } from './owner.ts'

leakCheck()

const self = 'm'

const dialled = (peer: string, failure: DialFailure | undefined): NeighbourEvent =>
  failure === undefined ? { type: 'peer.dialled', peer, ok: true } : { type: 'peer.dialled', peer, ok: false, failure }

function fixture(targetLinks: number) {
  const random = seededRandom(1)
  const owner = new Owner('t', new VirtualClock())
  const hello = { meshes: ['x'], name: self, role: 'compute', incarnation: 1, build: 't' } as const
  const ledger = new ConnectionLedger(owner, { self, hello, random })
  const view = new DigestView(owner, {
    self,
    stalenessMs: 30_000,
    sweepMs: 5_000,
    skewAllowedMs: 5_000,
    random,
  })
  const neighbours = new Neighbours({ self, neighbours: targetLinks, random }, view, ledger)
  const addMember = (peer: string, links: readonly string[] = [], addresses = ['/ip4/10.0.0.1/udp/1/quic-v1']) => {
    hear(view, digestOf(peer, { links, addresses }), 0, 'gossip')
    neighbours.handle({ type: 'joined', peer }, 0)
  }
  const firstDials = (until: number) => {
    const at: Record<string, number> = {}
    for (let now = neighbours.deadline(); now <= until; now = neighbours.deadline()) {
      for (const effect of neighbours.handle({ type: 'tick' }, now))
        if (effect.do === 'dial.peer') at[effect.peer] ??= now
    }
    return at
  }
  return { neighbours, addMember, firstDials }
}

test('new member: the lower peer id dials at once, the higher one after 3 s', () => {
  const { addMember, firstDials } = fixture(8)
  addMember('z')
  addMember('a')
  const at = firstDials(10_000)
  assert.ok((at['z'] ?? Infinity) <= 1_500, `z at ${at['z']}`)
  assert.ok((at['a'] ?? 0) >= 3_000, `a at ${at['a']}`)
})

test('closed link: the lower peer id redials at once, the higher one after 3 s', () => {
  const { neighbours, addMember, firstDials } = fixture(8)
  for (const peer of ['z', 'a']) {
    addMember(peer)
    neighbours.handle(dialled(peer, undefined), 0)
  }
  for (const peer of ['z', 'a']) neighbours.handle({ type: 'disconnected', peer }, 40_000)
  const at = firstDials(60_000)
  assert.ok((at['z'] ?? Infinity) <= 41_500, `z at ${at['z']}`)
  assert.ok((at['a'] ?? 0) >= 43_000, `a at ${at['a']}`)
})

test('closed link after failed dials: does not shorten the wait', () => {
  const { neighbours, addMember, firstDials } = fixture(8)
  addMember('z')
  for (let failed = 0; failed < 6; failed++) neighbours.handle(dialled('z', refusal), 20_000)
  neighbours.handle({ type: 'disconnected', peer: 'z' }, 20_100)
  assert.ok((firstDials(60_000)['z'] ?? 0) >= 35_000)
})

test('member that hangs up soon after each answer: redials back off', () => {
  const { neighbours, addMember } = fixture(8)
  addMember('z')
  const dials: number[] = []
  for (let now = neighbours.deadline(); now <= 300_000; now = neighbours.deadline()) {
    for (const effect of neighbours.handle({ type: 'tick' }, now)) {
      if (effect.do !== 'dial.peer') continue
      dials.push(now)
      neighbours.handle(dialled(effect.peer, undefined), now + 50)
      neighbours.handle({ type: 'disconnected', peer: effect.peer }, now + 100)
    }
  }
  const waits = dials.slice(1).map((at, index) => at - (dials[index] ?? 0))
  assert.ok((waits.at(-1) ?? 0) >= 15_000 && dials.length < 25, waits.join(' '))
})

test('more members than the target: dials the target number, those with the fewest links first', () => {
  const { addMember, firstDials } = fixture(2)
  addMember('p', ['1', '2', '3'])
  addMember('q', ['1'])
  addMember('r', [])
  assert.deepEqual(Object.keys(firstDials(2_000)).toSorted(), ['q', 'r'])
})

test('unreachable member: redials back off', () => {
  const { neighbours, addMember } = fixture(8)
  addMember('z')
  const waits: number[] = []
  let last = 0
  for (let now = neighbours.deadline(); now <= 300_000; now = neighbours.deadline()) {
    for (const effect of neighbours.handle({ type: 'tick' }, now)) {
      if (effect.do !== 'dial.peer') continue
      if (last > 0) waits.push(now - last)
      last = now
      neighbours.handle(dialled(effect.peer, refusal), now)
    }
  }
  assert.ok(waits.length > 5)
  assert.ok((waits.at(-1) ?? 0) >= 15_000 && (waits.at(-1) ?? 0) <= 32_000, waits.join(' '))
})

/** Spans about one member in an hour, each with the number of dials so far; every dial takes 40 ms. */
function playHour(failure: typeof refusal | undefined) {
  const { neighbours, addMember } = fixture(8)
  addMember('z')
  const spans: { readonly dials: number; readonly at: number; readonly effect: SpanEffect }[] = []
  let dials = 0
  for (let now = neighbours.deadline(); now <= 3_600_000; now = neighbours.deadline()) {
    for (const effect of neighbours.handle({ type: 'tick' }, now)) {
      if (effect.do !== 'dial.peer') continue
      dials++
      const at = now + 40
      const emitted = neighbours.handle(dialled(effect.peer, failure), at)
      spans.push(...emitted.flatMap((span) => (span.do === 'emit-span' ? [{ dials, at, effect: span }] : [])))
    }
  }
  return { spans, dials }
}

test('failed dials of a member: a span per step of the back-off, then one per ten failures', () => {
  const { spans, dials } = playHour(refusal)
  const every = Array.from({ length: Math.floor(dials / 10) }, (_, index) => 10 * (index + 1))
  assert.ok(dials > 100, `${dials}`)
  assert.deepEqual(
    spans.map((span) => span.dials),
    [1, 2, 3, 4, 5, 6, ...every],
  )
})

test('span of a failed dial: peer, addresses, stage, failures and delay', () => {
  const [first, second] = playHour(refusal).spans
  assert.ok(first !== undefined && second !== undefined)
  assert.equal(first.effect.since, first.at - 40)
  const { 'mesh.dial.delay_ms': delay, ...rest } = (first.effect as SpanEffectOf<'mesh.member.dial_failed'>).attributes
  assert.deepEqual(rest, {
    'mesh.peer.id': 'z',
    'mesh.peer.name': 'name of z',
    'mesh.dial.addresses': refusal.addresses,
    'mesh.dial.failures': 1,
    'mesh.dial.stage': 'dial',
    'error.type': 'ECONNREFUSED',
    'mesh.error.message': 'connection refused',
    'network.peer.address': '192.0.2.1',
    'network.peer.port': 4_001,
    'network.transport': 'tcp',
  })
  assert.ok(delay >= 500 && delay <= 1_000, `${delay}`)
  assert.ok(second.at - 40 - first.at >= delay)
})

test('successful dial, or result without a known dial: no span', () => {
  assert.deepEqual(playHour(undefined).spans, [])
  const { neighbours, addMember } = fixture(8)
  addMember('z')
  assert.deepEqual(neighbours.handle(dialled('z', refusal), 100), [])
  assert.deepEqual(neighbours.handle(dialled('nobody', refusal), 100), [])
})

test('member without addresses: not dialled', () => {
  const { addMember, firstDials } = fixture(8)
  addMember('z', [], [])
  assert.deepEqual(firstDials(60_000), {})
})

test('restarted member: dialled at once, whatever failed before', () => {
  const { neighbours, addMember, firstDials } = fixture(8)
  addMember('z')
  for (let failed = 0; failed < 6; failed++) neighbours.handle(dialled('z', refusal), 20_000)
  neighbours.handle({ type: 'renewed', peer: 'z', hasRestarted: true, hasMoved: false }, 21_000)
  assert.ok((firstDials(60_000)['z'] ?? Infinity) <= 22_000)
})

const failed = { dialAfter: 99_000, dialFailures: 4, isDialling: true } satisfies Partial<DialRecord>

test('new address of a member: dialled at once, but not for every digest', () => {
  const record: DialRecord = { ...newDialRecord(), ...failed }
  allowRedial(record, true, 2_000)
  assert.deepEqual([record.dialAfter, record.dialFailures, record.isDialling], [2_000, 0, false])
  const failedAgain: DialRecord = { ...record, ...failed }
  allowRedial(failedAgain, true, 4_000)
  assert.equal(failedAgain.dialAfter, 99_000)
})

test('restart of a member: earlier failures do not count, a dial in progress still does', () => {
  const record: DialRecord = { ...newDialRecord(), ...failed }
  allowRedial(record, false, 2_000)
  assert.deepEqual([record.dialAfter, record.dialFailures, record.isDialling], [2_000, 0, true])
})

for (const [news, hasMoved] of [
  ['announces a new address', true],
  ['restarts', false],
] as const) {
  test(`member that ${news} in every digest: dials back off until it answers`, () => {
    const record = newDialRecord()
    const dialsIn = (from: number, minutes: number) => {
      let dials = 0
      for (let n = from; n < from + minutes * 30; n++) {
        record.dialAfter = Infinity
        allowRedial(record, hasMoved, n * 2_000)
        dials += Number(record.dialAfter !== Infinity)
      }
      return dials
    }
    assert.equal(dialsIn(2, 60), 9)
    record.redials = 0
    assert.equal(dialsIn(1_802, 1), 3)
  })
}
