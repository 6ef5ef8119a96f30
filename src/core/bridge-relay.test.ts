import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { SpanEffect } from '../catalogue/span-effect.ts'
import { peerIdArbitrary } from '../testing/core/frame-arbitraries.ts'
import { forAll } from '../testing/for-all.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { VirtualClock } from '../testing/sim/virtual-clock.ts'
import { BridgeRelay, type RelayEffect, rank } from './bridge-relay.ts'
import type { Crossing } from './events.ts'
import { limits } from './limits.ts'
import { Owner } from './owner.ts'

leakCheck()

const x = 'bridge-x'
const y = 'bridge-y'
/** An origin for which x ranks first and y second. */
const origin = ['o1', 'o2', 'o3', 'o4', 'o5', 'o6', 'o7', 'o8'].find((name) => rank(name, x, [y]) === 0) ?? ''
const trace = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331' }

function message(changes: Partial<Crossing> = {}): Crossing {
  const sealed = Uint8Array.of(1, 2, 3)
  return { id: `${origin}/1`, origin, originMesh: 'a', topic: 'orders', hops: 0, sealed, ...changes }
}

function bridge(self: string, others: readonly string[], meshes: readonly string[] = ['a', 'b']) {
  const owner = new Owner(self, new VirtualClock())
  const options = { self, meshes, hopLimit: 4, takeoverMs: 2_000, seenTtlMs: 120_000, bridges: () => others }
  const relay = new BridgeRelay(owner, options)
  return {
    relay,
    owner,
    receive: (mesh: string, crossing: Crossing, now = 0) =>
      relay.handle({ type: 'crossing', mesh, crossing }, now).map(summarise),
    refuse: (mesh: string, id: string, now = 0) =>
      relay.handle({ type: 'crossing.refused', mesh, origin, id }, now).map(summarise),
    tick: (now: number) => relay.handle({ type: 'tick' }, now).map(summarise),
    size: (name: string) => owner.inventory().registries.find((registry) => registry.name === name)?.size,
  }
}

/** An effect in one line. */
function summarise(effect: RelayEffect): string {
  if (effect.do === 'forward') return `forward to ${effect.mesh} hops ${effect.crossing.hops}`
  const attributes = effect.attributes as Record<string, unknown>
  if (effect.span === 'mesh.bridge.forwarded') return `emit forwarded rank ${attributes['mesh.bridge.rank']}`
  if (effect.span === 'mesh.bridge.dropped') return `emit dropped ${attributes['mesh.bridge.reason']}`
  return `emit ${effect.span} ${attributes['mesh.limit.name']}`
}

test('first bridge for an origin: forwards at once and adds one hop', () => {
  const { relay } = bridge(x, [y])
  const effects = relay.handle({ type: 'crossing', mesh: 'a', crossing: message({ hops: 2, trace }) }, 0)
  const [forward, spans] = effects
  assert.deepEqual(forward, { do: 'forward', mesh: 'b', crossing: message({ hops: 3, trace }) })
  assert.equal((spans as SpanEffect).span, 'mesh.bridge.forwarded')
  assert.deepEqual((spans as SpanEffect).links, [trace])
  assert.deepEqual((spans as SpanEffect).attributes, {
    'mesh.bridge.from': 'a',
    'mesh.bridge.to': 'b',
    'mesh.bridge.rank': 0,
    'mesh.message.id': `${origin}/1`,
    'mesh.message.topic': 'orders',
    'mesh.message.hops': 3,
    'mesh.origin.peer': origin,
    'messaging.system': 'libp2p_gossipsub',
    'messaging.operation.type': 'send',
    'messaging.operation.name': 'forward',
    'messaging.destination.name': 'orders',
    'messaging.message.id': `${origin}/1`,
  })
  assert.equal(effects.length, 2)
})

test('second bridge: stands down when it receives the message in the other mesh', () => {
  const second = bridge(y, [x])
  assert.deepEqual(second.receive('a', message()), [])
  assert.equal(second.relay.deadline(), 2_000)
  assert.deepEqual(second.receive('b', message({ hops: 1 }), 40), ['emit dropped other-bridge'])
  assert.deepEqual(second.tick(2_000), [])
  assert.equal(second.size('relay_waiting'), 0)
})

test('silent first bridge: the second takes over after 2 s, the third after 4 s', () => {
  const names = [x, y, 'bridge-z']
  const order = names.toSorted((one, two) => rank(origin, one, names) - rank(origin, two, names))
  for (const place of [1, 2]) {
    const self = order[place] ?? ''
    const waiting = bridge(self, names)
    assert.deepEqual(waiting.receive('a', message()), [])
    assert.deepEqual(waiting.tick(place * 2_000 - 1), [])
    assert.deepEqual(waiting.tick(place * 2_000), ['forward to b hops 1', `emit forwarded rank ${place}`])
    assert.deepEqual(waiting.tick(place * 2_000 + 2_000), [])
  }
})

test('only bridge: forwards at once', () => {
  assert.deepEqual(bridge(y, []).receive('a', message()), ['forward to b hops 1', 'emit forwarded rank 0'])
})

test('repeated message in either mesh: crosses once, and not back', () => {
  const first = bridge(x, [y])
  assert.equal(first.receive('a', message()).length, 2)
  for (const mesh of ['a', 'b', 'a', 'b']) assert.deepEqual(first.receive(mesh, message({ hops: 1 }), 10), [])
})

test('message received outside its origin mesh: does not enter the origin mesh', () => {
  const first = bridge(x, [y])
  assert.deepEqual(first.receive('b', message({ hops: 1 })), ['emit dropped seen'])
  assert.deepEqual(first.receive('a', message()), [])
  assert.deepEqual(first.tick(10_000), [])
})

test('message at the hop limit: dropped, with one span', () => {
  const first = bridge(x, [])
  assert.deepEqual(first.receive('a', message({ hops: 3 })), ['forward to b hops 4', 'emit forwarded rank 0'])
  const far = { id: `${origin}/2`, originMesh: 'c' }
  assert.deepEqual(first.receive('a', message({ ...far, hops: 4 })), ['emit dropped hop-limit'])
  assert.deepEqual(first.receive('a', message({ ...far, hops: 255 })), [])
  assert.deepEqual(first.receive('b', message(far)), [])
})

test('forged copy with too many hops: does not stop the honest copy', () => {
  const first = bridge(x, [])
  assert.deepEqual(first.receive('a', message({ hops: 255 })), ['emit dropped hop-limit'])
  assert.deepEqual(first.receive('a', message()), ['forward to b hops 1', 'emit forwarded rank 0'])
  assert.deepEqual(first.receive('a', message()), [])
})

test('invalid seal: emitted, and does not stop the message with that id', () => {
  const first = bridge(x, [])
  assert.deepEqual(first.refuse('a', message().id), ['emit dropped bad-signature'])
  assert.equal(first.size('relay_seen'), 0)
  assert.equal(first.receive('a', message()).length, 2)
})

test('many invalid seals: ten spans a second', () => {
  const first = bridge(x, [])
  const spans = (now: number) => Array.from({ length: 50 }, (_, n) => first.refuse('a', `${n}`, now)).flat().length
  assert.equal(spans(0), 10)
  assert.equal(spans(999), 0)
  assert.equal(spans(1_000), 10)
})

test('node in one mesh, or message of a foreign mesh: relays nothing', () => {
  assert.deepEqual(bridge(x, [], ['a']).receive('a', message()), [])
  assert.deepEqual(bridge(x, []).receive('c', message()), [])
  assert.deepEqual(bridge(x, []).refuse('c', 'id'), [])
})

test('message not received for 120 s: expires from the seen cache, and the relay has no deadline', () => {
  const first = bridge(x, [])
  first.receive('a', message())
  first.receive('b', message(), 100_000)
  let now = 0
  while (first.relay.deadline() !== Infinity) {
    now = first.relay.deadline()
    first.tick(now)
  }
  assert.equal(first.size('relay_seen'), 0)
  assert(now > 220_000 && now <= 250_000, `expired at ${now}`)
})

test('flood of 100,000 messages: registries stay within their limits, and refusals are emitted', () => {
  const second = bridge(y, [x])
  const spans = new Map<string, number>()
  for (let n = 0; n < 100_000; n++) {
    for (const effect of second.receive('a', message({ id: `${origin}/${n}` }), n / 100)) {
      spans.set(effect, (spans.get(effect) ?? 0) + 1)
    }
  }
  assert.equal(second.size('relay_seen'), limits.relaySeen)
  assert.equal(second.size('relay_waiting'), limits.relayWaiting)
  assert.equal(spans.get('emit dropped limit'), 100_000 - limits.relayWaiting)
  assert.equal(spans.get('emit mesh.limit.reached relayWaiting'), 1)
  assert.equal(second.tick(5_000).length, 2 * limits.relayWaiting)
  assert.equal(second.size('relay_waiting'), 0)
})

test('long pending messages: limited in bytes, and forwarding frees the bytes', () => {
  const second = bridge(y, [x])
  const sealed = new Uint8Array(60_000)
  const most = Math.floor(limits.relayWaitingBytes / sealed.length)
  const receive = (n: number, now: number) => second.receive('a', message({ id: `${origin}/${n}`, sealed }), now)
  for (let n = 0; n < most; n++) assert.deepEqual(receive(n, 0), [])
  assert.deepEqual(receive(most, 0), ['emit dropped limit', 'emit mesh.limit.reached relayWaitingBytes'])
  assert.equal(second.tick(2_000).length, 2 * most)
  assert.deepEqual(receive(most + 1, 2_000), [])
})

const bridgesArbitrary = fc.uniqueArray(peerIdArbitrary, { minLength: 1, maxLength: 8 })

function ranks(origin: string, bridges: readonly string[]): number[] {
  return bridges.map((self) => rank(origin, self, bridges))
}

test('all bridges compute the same order: each rank occurs once', (t) =>
  forAll({ t }, [peerIdArbitrary, bridgesArbitrary], (origin, bridges) => {
    assert.deepEqual(
      ranks(origin, bridges).sort((a, b) => a - b),
      bridges.map((_, place) => place),
    )
  }))

test('order of the list, or the node itself in it: does not change the rank', (t) =>
  forAll({ t }, [peerIdArbitrary, bridgesArbitrary], (origin, [self = '', ...others]) => {
    const place = rank(origin, self, others)
    assert.equal(rank(origin, self, [...others].reverse()), place)
    assert.equal(rank(origin, self, [self, ...others]), place)
  }))

test('bridge that leaves: only those ranked after it move up', (t) =>
  forAll({ t }, [peerIdArbitrary, bridgesArbitrary], (origin, [leaver = '', ...others]) => {
    const before = ranks(origin, [leaver, ...others])
    const expected = before.slice(1).map((place) => (place > (before[0] ?? 0) ? place - 1 : place))
    assert.deepEqual(ranks(origin, others), expected)
  }))

for (const count of [2, 3, 5]) {
  test(`10,000 origins spread over ${count} bridges within 10 %`, () => {
    // Ids that differ in their last characters alone: the hard case for FNV.
    const bridges = Array.from({ length: count }, (_, n) => `12D3KooWBridgeBridgeBridgeBridgeBridgeBridgeBridge${n}`)
    const first = bridges.map(() => 0)
    for (let n = 0; n < 10_000; n++) {
      const winner = ranks(`12D3KooWOriginOriginOriginOriginOriginOrigin${n}`, bridges).indexOf(0)
      first[winner] = (first[winner] ?? 0) + 1
    }
    const mean = 10_000 / count
    for (const share of first) assert(Math.abs(share - mean) <= mean / 10, `${first} of a mean of ${mean}`)
  })
}
