import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SpanEffectOf } from '../catalogue/span-effect.ts'
import { makeLedger } from '../testing/core/node-fixture.ts'
import { refusal } from '../testing/core/seed-player.ts'
import { digestOf, hear, makeView, spansNamed } from '../testing/core/view-fixture.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { seededRandom } from '../testing/random.ts'
import type { DialFailure } from './events.ts'
import { DialRecord } from './member.ts'
import { allowRedial, type NeighbourEvent, Neighbours } from './neighbours.ts'

leakCheck()

const self = 'm'

const dialled = (peer: string, failure: DialFailure | undefined): NeighbourEvent =>
  failure === undefined ? { type: 'peer.dialled', peer, ok: true } : { type: 'peer.dialled', peer, ok: false, failure }

function fixture(targetLinks = 8) {
  const view = makeView({ self })
  const options = { self, neighbours: targetLinks, random: seededRandom(1) }
  const neighbours = new Neighbours(options, view, makeLedger({ self }))
  const addMember = (peer: string, links: readonly string[] = [], addresses = ['/ip4/10.0.0.1/udp/1/quic-v1']) => {
    hear(view, digestOf(peer, { links, addresses }), 0, 'gossip')
    neighbours.handle({ type: 'joined', peer }, 0)
  }
  /** Times of the dials until a time; `onDial` may report what comes of each. */
  const dialsUntil = (time: number, onDial: (peer: string, now: number) => void = () => {}) => {
    const dials: { readonly peer: string; readonly at: number }[] = []
    for (let at = neighbours.deadline(); at <= time; at = neighbours.deadline())
      for (const effect of neighbours.handle({ type: 'tick' }, at)) {
        if (effect.do !== 'dial.peer') continue
        dials.push({ peer: effect.peer, at })
        onDial(effect.peer, at)
      }
    return dials
  }
  const firstDials = (time: number): Record<string, number> =>
    Object.fromEntries(
      dialsUntil(time)
        .toReversed()
        .map(({ peer, at }) => [peer, at]),
    )
  return { neighbours, addMember, dialsUntil, firstDials }
}

/** Times between consecutive dials. */
const delaysOf = (dials: readonly { readonly at: number }[]) =>
  dials.slice(1).map(({ at }, index) => at - (dials[index]?.at ?? 0))

for (const [situation, from] of [
  ['new member', 0],
  ['closed link', 40_000],
] as const) {
  test(`${situation}: the lower peer id dials at once, the higher one after 3 s`, () => {
    const { neighbours, addMember, firstDials } = fixture()
    for (const peer of ['z', 'a']) {
      addMember(peer)
      if (from === 0) continue
      neighbours.handle(dialled(peer, undefined), 0)
      neighbours.handle({ type: 'disconnected', peer }, from)
    }
    const at = firstDials(from + 10_000)
    assert.ok((at['z'] ?? Infinity) <= from + 1_500, `z at ${at['z']}`)
    assert.ok((at['a'] ?? 0) >= from + 3_000, `a at ${at['a']}`)
  })
}

test('closed link after failed dials: does not shorten the delay', () => {
  const { neighbours, addMember, firstDials } = fixture()
  addMember('z')
  for (let failed = 0; failed < 6; failed++) neighbours.handle(dialled('z', refusal), 20_000)
  neighbours.handle({ type: 'disconnected', peer: 'z' }, 20_100)
  assert.ok((firstDials(60_000)['z'] ?? 0) >= 35_000)
})

test('member that hangs up soon after each answer: redials back off', () => {
  const { neighbours, addMember, dialsUntil } = fixture()
  addMember('z')
  const dials = dialsUntil(300_000, (peer, now) => {
    neighbours.handle(dialled(peer, undefined), now + 50)
    neighbours.handle({ type: 'disconnected', peer }, now + 100)
  })
  const delays = delaysOf(dials)
  assert.ok((delays.at(-1) ?? 0) >= 15_000 && dials.length < 25, delays.join(' '))
})

test('more members than the target: dials the target number, those with the fewest links first', () => {
  const { addMember, firstDials } = fixture(2)
  addMember('p', ['1', '2', '3'])
  addMember('q', ['1'])
  addMember('r', [])
  assert.deepEqual(Object.keys(firstDials(2_000)).toSorted(), ['q', 'r'])
})

test('unreachable member: redials back off', () => {
  const { neighbours, addMember, dialsUntil } = fixture()
  addMember('z')
  const delays = delaysOf(dialsUntil(300_000, (peer, now) => neighbours.handle(dialled(peer, refusal), now)))
  assert.ok(delays.length > 5)
  assert.ok((delays.at(-1) ?? 0) >= 15_000 && (delays.at(-1) ?? 0) <= 32_000, delays.join(' '))
})

/** Spans about one member in an hour, each with the number of dials so far; every dial takes 40 ms. */
function playHour(failure: typeof refusal | undefined) {
  const { neighbours, addMember, dialsUntil } = fixture()
  addMember('z')
  const spans: {
    readonly dials: number
    readonly at: number
    readonly span: SpanEffectOf<'mesh.member.dial_failed'>
  }[] = []
  let dials = 0
  dialsUntil(3_600_000, (peer, now) => {
    dials++
    const at = now + 40
    const emitted = spansNamed(neighbours.handle(dialled(peer, failure), at), 'mesh.member.dial_failed')
    spans.push(...emitted.map((span) => ({ dials, at, span })))
  })
  return { spans, dials }
}

test('failed dials of a member: a span per step of the backoff, then one per ten failures', () => {
  const { spans, dials } = playHour(refusal)
  const every = Array.from({ length: Math.floor(dials / 10) }, (_, index) => 10 * (index + 1))
  assert.ok(dials > 100, `${dials}`)
  const dialsAtSpans = spans.map((one) => one.dials)
  assert.deepEqual(dialsAtSpans, [1, 2, 3, 4, 5, 6, ...every])
})

test('span of a failed dial: peer, addresses, stage, failures and delay', () => {
  const [first, second] = playHour(refusal).spans
  assert.ok(first !== undefined && second !== undefined)
  assert.equal(first.span.since, first.at - 40)
  const { 'mesh.dial.delay_ms': delay, ...rest } = first.span.attributes
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
  const { neighbours, addMember } = fixture()
  addMember('z')
  assert.deepEqual(neighbours.handle(dialled('z', refusal), 100), [])
  assert.deepEqual(neighbours.handle(dialled('nobody', refusal), 100), [])
})

test('member without addresses: not dialled', () => {
  const { addMember, firstDials } = fixture()
  addMember('z', [], [])
  assert.deepEqual(firstDials(60_000), {})
})

test('restarted member: dialled at once, whatever failed before', () => {
  const { neighbours, addMember, firstDials } = fixture()
  addMember('z')
  for (let failed = 0; failed < 6; failed++) neighbours.handle(dialled('z', refusal), 20_000)
  neighbours.handle({ type: 'renewed', peer: 'z', hasRestarted: true, hasMoved: false }, 21_000)
  assert.ok((firstDials(60_000)['z'] ?? Infinity) <= 22_000)
})

const failed = { dialAfter: 99_000, dialFailures: 4, isDialling: true } satisfies Partial<DialRecord>

test('new address of a member: dialled at once, but not for every digest', () => {
  const record = Object.assign(new DialRecord(), failed)
  allowRedial(record, true, 2_000)
  assert.deepEqual([record.dialAfter, record.dialFailures, record.isDialling], [2_000, 0, false])
  const failedAgain: DialRecord = { ...record, ...failed }
  allowRedial(failedAgain, true, 4_000)
  assert.equal(failedAgain.dialAfter, 99_000)
})

test('restart of a member: earlier failures do not count, a dial in progress still does', () => {
  const record = Object.assign(new DialRecord(), failed)
  allowRedial(record, false, 2_000)
  assert.deepEqual([record.dialAfter, record.dialFailures, record.isDialling], [2_000, 0, true])
})

for (const [news, hasMoved] of [
  ['announces a new address', true],
  ['restarts', false],
] as const) {
  test(`member that ${news} in every digest: dials back off until it answers`, () => {
    const record = new DialRecord()
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
