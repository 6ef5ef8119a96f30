import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SpanEffect } from '../catalogue/span-effect.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { VirtualClock } from '../testing/virtual-clock.ts'
import { BridgeRelay, type RelayEffect } from './bridge-relay.ts'
import type { Crossing } from './events.ts'
import { limits } from './limits.ts'
import { Owner } from './owner.ts'
import { rank } from './rendezvous.ts'

leakCheck()

const x = 'bridge-x'
const y = 'bridge-y'
/** An origin for which x acts, and y takes over. */
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
    hear: (mesh: string, crossing: Crossing, now = 0) =>
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
  if (effect.span === 'mesh.bridge.forwarded') return `told forwarded rank ${attributes['mesh.bridge.rank']}`
  if (effect.span === 'mesh.bridge.dropped') return `told dropped ${attributes['mesh.bridge.reason']}`
  return `told ${effect.span} ${attributes['mesh.limit.name']}`
}

test('the bridge that is first for an origin forwards at once, with one hop more', () => {
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

test('the second bridge stands down when it hears the message in the other mesh', () => {
  const second = bridge(y, [x])
  assert.deepEqual(second.hear('a', message()), [])
  assert.equal(second.relay.deadline(), 2_000)
  assert.deepEqual(second.hear('b', message({ hops: 1 }), 40), ['told dropped other-bridge'])
  assert.deepEqual(second.tick(2_000), [])
  assert.equal(second.size('relay_waiting'), 0)
})

test('when the first bridge is silent, the second takes over after 2 s, the third would after 4 s', () => {
  const names = [x, y, 'bridge-z']
  const order = names.toSorted((one, two) => rank(origin, one, names) - rank(origin, two, names))
  for (const place of [1, 2]) {
    const self = order[place] ?? ''
    const waiting = bridge(self, names)
    assert.deepEqual(waiting.hear('a', message()), [])
    assert.deepEqual(waiting.tick(place * 2_000 - 1), [])
    assert.deepEqual(waiting.tick(place * 2_000), ['forward to b hops 1', `told forwarded rank ${place}`])
    assert.deepEqual(waiting.tick(place * 2_000 + 2_000), [])
  }
})

test('whoever is left alone acts at once', () => {
  assert.deepEqual(bridge(y, []).hear('a', message()), ['forward to b hops 1', 'told forwarded rank 0'])
})

test('a message does not cross twice, nor back, however often and wherever it is heard again', () => {
  const first = bridge(x, [y])
  assert.equal(first.hear('a', message()).length, 2)
  for (const mesh of ['a', 'b', 'a', 'b']) assert.deepEqual(first.hear(mesh, message({ hops: 1 }), 10), [])
})

test('a message never goes into the mesh it came from', () => {
  const first = bridge(x, [y])
  assert.deepEqual(first.hear('b', message({ hops: 1 })), ['told dropped seen'])
  assert.deepEqual(first.hear('a', message()), [])
  assert.deepEqual(first.tick(10_000), [])
})

test('a message that has passed as many bridges as it may is dropped, once', () => {
  const first = bridge(x, [])
  assert.deepEqual(first.hear('a', message({ hops: 3 })), ['forward to b hops 4', 'told forwarded rank 0'])
  const far = { id: `${origin}/2`, originMesh: 'c' }
  assert.deepEqual(first.hear('a', message({ ...far, hops: 4 })), ['told dropped hop-limit'])
  assert.deepEqual(first.hear('a', message({ ...far, hops: 255 })), [])
  assert.deepEqual(first.hear('b', message(far)), [])
})

test('hops are not signed: a copy with too many does not stop the honest one', () => {
  const first = bridge(x, [])
  assert.deepEqual(first.hear('a', message({ hops: 255 })), ['told dropped hop-limit'])
  assert.deepEqual(first.hear('a', message()), ['forward to b hops 1', 'told forwarded rank 0'])
  assert.deepEqual(first.hear('a', message()), [])
})

test('a broken seal is told, and does not stop the message whose id it carries', () => {
  const first = bridge(x, [])
  assert.deepEqual(first.refuse('a', message().id), ['told dropped bad-signature'])
  assert.equal(first.size('relay_seen'), 0)
  assert.equal(first.hear('a', message()).length, 2)
})

test('a forger is told of ten times a second', () => {
  const first = bridge(x, [])
  const spans = (now: number) => Array.from({ length: 50 }, (_, n) => first.refuse('a', `${n}`, now)).flat().length
  assert.equal(spans(0), 10)
  assert.equal(spans(999), 0)
  assert.equal(spans(1_000), 10)
})

test('a node in one mesh, and a mesh that is not ours, relay nothing', () => {
  assert.deepEqual(bridge(x, [], ['a']).hear('a', message()), [])
  assert.deepEqual(bridge(x, []).hear('c', message()), [])
  assert.deepEqual(bridge(x, []).refuse('c', 'id'), [])
})

test('what was seen is forgotten when it was not heard for 120 s, and then nothing asks to be woken', () => {
  const first = bridge(x, [])
  first.hear('a', message())
  first.hear('b', message(), 100_000)
  let now = 0
  while (first.relay.deadline() !== Infinity) {
    now = first.relay.deadline()
    first.tick(now)
  }
  assert.equal(first.size('relay_seen'), 0)
  assert(now > 220_000 && now <= 250_000, `forgotten at ${now}`)
})

test('a flood of 100,000 messages is held within the bounds, and the refusal is told', () => {
  const second = bridge(y, [x])
  const spans = new Map<string, number>()
  for (let n = 0; n < 100_000; n++) {
    for (const effect of second.hear('a', message({ id: `${origin}/${n}` }), n / 100)) {
      spans.set(effect, (spans.get(effect) ?? 0) + 1)
    }
  }
  assert.equal(second.size('relay_seen'), limits.relaySeen)
  assert.equal(second.size('relay_waiting'), limits.relayWaiting)
  assert.equal(spans.get('told dropped limit'), 100_000 - limits.relayWaiting)
  assert.equal(spans.get('told mesh.limit.reached relayWaiting'), 1)
  assert.equal(second.tick(5_000).length, 2 * limits.relayWaiting)
  assert.equal(second.size('relay_waiting'), 0)
})

test('long messages that wait are bounded in bytes; the bytes are free again when they have left', () => {
  const second = bridge(y, [x])
  const sealed = new Uint8Array(60_000)
  const most = Math.floor(limits.relayWaitingBytes / sealed.length)
  const hear = (n: number, now: number) => second.hear('a', message({ id: `${origin}/${n}`, sealed }), now)
  for (let n = 0; n < most; n++) assert.deepEqual(hear(n, 0), [])
  assert.deepEqual(hear(most, 0), ['told dropped limit', 'told mesh.limit.reached relayWaitingBytes'])
  assert.equal(second.tick(2_000).length, 2 * most)
  assert.deepEqual(hear(most + 1, 2_000), [])
})
