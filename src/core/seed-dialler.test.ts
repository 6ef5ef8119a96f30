import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  gaps,
  highest,
  near,
  type Outcome,
  play,
  refusal,
  refused,
  type SeedPlayer,
  seed,
  upBetween,
} from '../testing/core/seed-player.ts'
import { spansNamed, summary } from '../testing/core/view-fixture.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { seededRandom } from '../testing/random.ts'
import { SeedDialler } from './seed-dialler.ts'

leakCheck()

const { address } = refusal

test('silent seed: dialled at once and ten times in all, then given up once', () => {
  const { player } = play()
  player.runUntil(152_000)
  assert.equal(player.dials()[0], 0)
  assert.deepEqual(gaps(player.dials().slice(0, 10)), [1, 2, 4, 8, 16, 30, 30, 30, 30])
  assert.equal(player.spansNamed('mesh.seed.retry').length, 9)
  assert.equal(player.spansNamed('mesh.seed.giveup').length, 1)
})

test('no peers, seed given up: an attempt every 30 s, whatever its duration; ten attempts are a campaign', () => {
  for (const afterMs of [0, 10_000]) {
    const { player } = play(() => ({ afterMs }))
    player.runUntil(1_000_000)
    const giveup = player.effects.find(({ effect }) => spansNamed([effect], 'mesh.seed.giveup').length > 0)
    const later = player.dials().slice(10)
    near(later[0], (giveup?.at ?? 0) + 30_000)
    assert.deepEqual(new Set(gaps(later)), new Set([30]))
    const causes = player.attributesOf('mesh.seed.dial').map((one) => one['mesh.seed.cause'])
    assert.deepEqual(causes.slice(0, 3), ['start', 'alone', 'alone'])
    for (const one of player.attributesOf('mesh.seed.giveup')) assert.equal(one['mesh.seed.attempt'], 10)
  }
})

test('other peers, seed given up: a complete new campaign after five minutes', () => {
  const { player } = play()
  player.send({ type: 'peers', count: 3 })
  player.runUntil(127_000 + 24_000 + 300_000 + 60_000)
  const second = player.dials().slice(10)
  near(second[0], 151_000 + 300_000)
  assert.deepEqual(gaps(second).slice(0, 5), [1, 2, 4, 8, 16])
  assert.equal(player.attributesOf('mesh.seed.dial')[1]?.['mesh.seed.cause'], 'periodic')
  assert.equal(player.attributesOf('mesh.seed.rearmed')[0]?.['mesh.seed.delay_ms'], 0)
})

test('no peers, seed given up: only the first peer delays the next campaign, to five minutes after the give-up', () => {
  const { dialler, player } = play()
  player.runUntil(170_000)
  assert.deepEqual(player.send({ type: 'peers', count: 0 }), [])
  near(dialler.deadline(), 181_000)
  player.send({ type: 'peers', count: 1 })
  near(dialler.deadline(), 451_000)
})

test('seed given up, last peer lost: a campaign starts within half a second to one', () => {
  for (const [jitter, expected] of [
    [0, 500],
    [highest, 1_000],
  ] as const) {
    const { player } = play(undefined, () => jitter)
    player.send({ type: 'peers', count: 1 })
    player.runUntil(200_000)
    const before = player.dials().length
    player.send({ type: 'peers', count: 0 })
    player.runUntil(202_000)
    near(player.dials()[before], 200_000 + expected)
    const rearmed = player.attributesOf('mesh.seed.rearmed').at(-1)
    assert.deepEqual([rearmed?.['mesh.seed.cause'], rearmed?.['mesh.seed.delay_ms']], ['lost', expected])
  }
})

test('running campaign, last peer lost: the campaign continues', () => {
  const { dialler, player } = play()
  player.send({ type: 'peers', count: 1 })
  player.runUntil(20_000)
  const due = dialler.deadline()
  assert.deepEqual(player.send({ type: 'peers', count: 0 }), [])
  assert.equal(dialler.deadline(), due)
})

test('seed lost while other peers remain: dialled again', () => {
  const { player } = play(upBetween(0, Infinity))
  player.runUntil(100)
  player.send({ type: 'peers', count: 5 })
  player.runUntil(60_000)
  assert.deepEqual(player.send({ type: 'disconnected', peer: 'somebody else' }), [])
  player.send({ type: 'disconnected', peer: 'peer-a' })
  player.runUntil(70_000)
  assert.deepEqual(player.dials().map(Math.round), [0, 61_000])
  assert.equal(player.attributesOf('mesh.seed.dial')[1]?.['mesh.seed.cause'], 'lost')
})

test('seed and last peer lost together: one campaign, in either order of events', () => {
  const events = [{ type: 'peers', count: 0 } as const, { type: 'disconnected', peer: 'peer-a' } as const]
  for (const order of [events, events.toReversed()]) {
    const { player } = play(upBetween(0, 1))
    player.runUntil(100)
    player.send({ type: 'peers', count: 1 })
    player.runUntil(60_000)
    for (const event of order) player.send(event)
    assert.equal(player.spansNamed('mesh.seed.rearmed').length, 1)
  }
})

test('seed that hangs up soon after each answer: growing delays until it stays', () => {
  const { player } = play(upBetween(0, Infinity))
  player.send({ type: 'peers', count: 2 })
  player.runUntil(0)
  const delays = [0, 0, 0, 0, 29_000, 31_000].map((connectedMs) => {
    player.runUntil(player.now + connectedMs)
    player.send({ type: 'disconnected', peer: 'peer-a' })
    const delay = player.attributesOf('mesh.seed.rearmed').at(-1)?.['mesh.seed.delay_ms'] ?? 0
    player.runUntil(player.now + delay)
    return delay
  })
  assert.deepEqual(delays, [1_000, 2_000, 4_000, 8_000, 16_000, 1_000])
})

test('answer after the attempt counted as failed: ignored', () => {
  const { dialler, player } = play()
  player.runUntil(500)
  const due = dialler.deadline()
  assert.deepEqual(player.send({ type: 'seed.answered', seed, peer: 'peer-a', address }), [])
  assert.deepEqual(player.send({ type: 'seed.failed', seed, failure: refusal }), [])
  assert.deepEqual(player.send({ type: 'seed.answered', seed: 'no seed of ours', peer: 'peer-a', address }), [])
  assert.equal(dialler.deadline(), due)
})

test('attempt without a dial: no peer address; seed without a port: no port', () => {
  const seedWithoutPort = '/dnsaddr/seed.example'
  const { player } = play(() => undefined, undefined, [seedWithoutPort])
  player.runUntil(1)
  const unresolved = { stage: 'resolve', addresses: [], errorType: 'ENOTFOUND', errorMessage: 'no such name' } as const
  player.send({ type: 'seed.failed', seed: seedWithoutPort, failure: unresolved })
  const [retry] = player.spansNamed('mesh.seed.retry')
  assert.equal(retry?.attributes['server.address'], 'seed.example')
  for (const key of ['server.port', 'network.peer.address', 'network.peer.port', 'network.transport'])
    assert.ok(!Object.hasOwn(retry?.attributes ?? {}, key), key)
})

test('attempt without a result: counts as failed two seconds after its timeout', () => {
  const { player } = play(() => undefined)
  player.runUntil(13_000)
  const [retry] = player.spansNamed('mesh.seed.retry')
  assert.equal(retry?.attributes['mesh.dial.stage'], 'dial')
  assert.equal(retry?.attributes['mesh.seed.elapsed_ms'], 12_000)
  assert.deepEqual(player.dials().map(Math.round), [0, 13_000])
})

test('suspension longer than several attempts: one failed attempt, no catching up', () => {
  const { dialler } = play(() => undefined)
  dialler.handle({ type: 'tick' }, 0)
  const effects = dialler.handle({ type: 'tick' }, 3_600_000)
  assert.deepEqual(summary(effects), ['mesh.seed.retry'])
  assert.ok(dialler.deadline() > 3_600_000)
})

test('no peers, suspension longer than the delay: a delay of zero, not a negative one', () => {
  const dialler = new SeedDialler([seed], { random: seededRandom(1) })
  let now = 0
  for (; dialler.seeds()[0]?.campaign !== 2; now = dialler.deadline()) dialler.handle({ type: 'tick' }, now)
  const late = dialler.handle({ type: 'seed.failed', seed, failure: refusal }, now + 3_600_000)
  assert.ok(late[0]?.do === 'emit-span' && late[0].span === 'mesh.seed.retry')
  assert.equal(late[0].attributes['mesh.seed.delay_ms'], 0)
})

test('several seeds: independent campaigns; a duplicate is one seed', () => {
  const other = '/ip4/192.0.2.7/tcp/4001'
  const up = (of: string): Outcome => (of === other ? { afterMs: 0, peer: 'peer-b' } : refused)
  const { dialler, player } = play(up, () => highest, [seed, other, seed])
  player.runUntil(5_000)
  assert.equal(player.dials(other).length, 1)
  assert.equal(player.dials(seed).length, 3)
  const rows = dialler.seeds().map(({ address, state, attempt, campaign, nextAt, peer }) => {
    return [address, state, attempt, campaign, nextAt && Math.round(nextAt), peer]
  })
  assert.deepEqual(rows, [
    [seed, 'waiting', 3, 1, 7_000, undefined],
    [other, 'connected', 1, 1, undefined, 'peer-b'],
  ])
})

test('seed that comes back with another peer id: only the loss of the new peer counts', () => {
  const { dialler, player } = play((_, at) => ({ afterMs: 0, peer: at < 60_000 ? 'peer-a' : 'peer-b' }))
  player.runUntil(100)
  player.send({ type: 'peers', count: 2 })
  player.runUntil(60_000)
  player.send({ type: 'disconnected', peer: 'peer-a' })
  player.runUntil(62_000)
  assert.equal(dialler.seeds()[0]?.peer, 'peer-b')
  assert.deepEqual(player.send({ type: 'disconnected', peer: 'peer-a' }), [])
  assert.notDeepEqual(player.send({ type: 'disconnected', peer: 'peer-b' }), [])
})

test('seed that is this node: rests, with one span', () => {
  const { dialler, player } = play(() => ({ afterMs: 0, errorType: 'SelfDial' }))
  player.runUntil(1_000)
  const [view] = dialler.seeds()
  assert.deepEqual([view?.state, view?.attempt], ['self', 0])
  player.send({ type: 'peers', count: 1 })
  player.send({ type: 'peers', count: 0 })
  player.runUntil(600_000)
  const spans = summary(player.effects.map(({ effect }) => effect)).filter((span) => span !== 'dial.seed')
  assert.deepEqual(spans, ['mesh.seed.dial', 'mesh.seed.self'])
  assert.equal(player.attributesOf('mesh.seed.self')[0]?.['mesh.seed.others'], 0)
  assert.deepEqual(new Set(gaps(player.dials())), new Set([30]))
})

test('seed that is this node, other peers: dialled every five minutes', () => {
  const { player } = play(() => ({ afterMs: 0, errorType: 'SelfDial' }))
  player.send({ type: 'peers', count: 3 })
  player.runUntil(1_000_000)
  assert.deepEqual(gaps(player.dials()), [300, 300, 300])
})

test('seed that was this node resolves to another node: connected', () => {
  const selfDial: Outcome = { afterMs: 0, errorType: 'SelfDial' }
  const { dialler, player } = play((_, at) => (at < 50_000 ? selfDial : { afterMs: 0, peer: 'peer-a' }))
  player.runUntil(61_000)
  assert.equal(dialler.seeds()[0]?.state, 'connected')
  assert.equal(player.attributesOf('mesh.seed.connected')[0]?.['mesh.seed.attempt'], 1)
})

const linked = { peer: 'peer-a', address: '/ip4/192.0.2.1/tcp/4001' }

/** The attempt in flight fails while the peer behind the seed is linked through another address. */
const failLinked = (player: SeedPlayer, errorType = 'TimeoutError') =>
  player.send({ type: 'seed.failed', seed, failure: { ...refusal, errorType }, linked })

/** A node with a seed that is linked through another address alone. */
function bypass() {
  const { dialler, player } = play(() => undefined)
  player.send({ type: 'peers', count: 2 })
  player.send({ type: 'tick' })
  failLinked(player)
  return { dialler, player }
}

test('seed whose peer is linked through another address: no give-up, one path span, and it rests', () => {
  const { dialler, player } = bypass()
  assert.equal(dialler.seeds()[0]?.state, 'linked-elsewhere')
  for (let campaign = 0; campaign < 3; campaign++) {
    player.runUntil(dialler.deadline() + 1_000)
    failLinked(player)
  }
  const blocked = player.attributesOf('mesh.path.blocked')
  const paths = blocked.map((one) => [one['mesh.path.reached_by'], one['error.type'], one['mesh.peer.id']])
  assert.deepEqual(paths, [[linked.address, 'TimeoutError', 'peer-a']])
  for (const span of ['mesh.seed.giveup', 'mesh.seed.retry'] as const) assert.deepEqual(player.spansNamed(span), [])
  assert.deepEqual(gaps(player.dials()), [300, 301, 301])
  assert.ok(player.effects.some(({ effect }) => effect.do === 'dial.seed' && effect.fresh === true))
})

test('blocked path with a new error: emitted again', () => {
  const { player } = bypass()
  player.runUntil(301_000)
  failLinked(player, 'EHOSTUNREACH')
  assert.equal(player.spansNamed('mesh.path.blocked').length, 2)
})

test('blocked path that answers: emitted, and the seed is connected', () => {
  const { dialler, player } = bypass()
  player.runUntil(301_000)
  player.send({ type: 'seed.answered', seed, peer: 'peer-a', address })
  assert.equal(player.spansNamed('mesh.path.restored').length, 1)
  assert.equal(dialler.seeds()[0]?.state, 'connected')
})

test('blocked path, link through the other address lost: a new campaign', () => {
  const { player } = bypass()
  player.send({ type: 'disconnected', peer: 'peer-a' })
  player.runUntil(player.now + 1_000)
  assert.equal(player.attributesOf('mesh.seed.rearmed')[0]?.['mesh.seed.cause'], 'lost')
  assert.equal(player.dials().length, 2)
})

test('answer through a connection to another address: the path stays blocked', () => {
  const { dialler, player } = play(() => undefined)
  player.send({ type: 'tick' })
  player.send({ type: 'seed.failed', seed, failure: refusal })
  player.runUntil(1_500)
  player.send({ type: 'seed.answered', seed, peer: 'peer-a', address, elsewhere: linked.address })
  assert.equal(dialler.seeds()[0]?.state, 'linked-elsewhere')
  assert.equal(player.spansNamed('mesh.path.blocked').length, 1)
})

test('failed seed of an unknown peer, other peers linked: retried and given up', () => {
  const { player } = play()
  player.send({ type: 'peers', count: 3 })
  player.runUntil(160_000)
  assert.equal(player.spansNamed('mesh.seed.giveup').length, 1)
  assert.deepEqual(player.spansNamed('mesh.path.blocked'), [])
})

test('node without seeds: no effects', () => {
  const { dialler, player } = play(undefined, undefined, [])
  assert.deepEqual(player.send({ type: 'tick' }), [])
  assert.equal(dialler.deadline(), Infinity)
})

test('more seeds than the limit: rejected', () => {
  const seeds = Array.from({ length: 33 }, (_, i) => `/ip4/192.0.2.${i}/tcp/4001`)
  const code = 'MESH_LIMIT_REACHED'
  assert.throws(() => new SeedDialler(seeds, { random: seededRandom(1) }), { code })
})

/** Attributes of the configured seed and of the dialled address. */
const dialled = {
  'server.address': 'seed.example',
  'server.port': 4001,
  'network.peer.address': '192.0.2.1',
  'network.peer.port': 4001,
  'network.transport': 'tcp',
}

test('end of an attempt: its span has the seed, the dialled address, and the duration of the attempt', () => {
  const { player } = play((_, at) => ({ afterMs: 1_500, ...(at > 300_000 ? { peer: 'peer-a' } : {}) }))
  player.runUntil(700_000)
  for (const name of ['mesh.seed.retry', 'mesh.seed.giveup', 'mesh.seed.connected'] as const) {
    const [first] = player.effects.flatMap(({ at, effect }) => spansNamed([effect], name).map((span) => ({ at, span })))
    assert.ok(first, name)
    assert.partialDeepStrictEqual(first.span.attributes, dialled)
    assert.equal(Math.round(first.at - (first.span.since ?? Infinity)), 1_500, name)
  }
})

test('failed attempt of ten seconds: its retry span has the error and the delay', () => {
  const { player } = play(() => ({ afterMs: 10_000 }))
  player.runUntil(25_000)
  const [first, second] = player.spansNamed('mesh.seed.retry')
  assert.equal(first?.since, 0)
  assert.equal(first?.attributes['mesh.seed.elapsed_ms'], 10_000)
  assert.equal(first?.attributes['mesh.seed.delay_ms'], 1_000)
  near(second?.since, 11_000)
  assert.deepEqual(second?.attributes, {
    'mesh.seed.address': seed,
    'mesh.seed.attempt': 2,
    'mesh.seed.attempts': 10,
    'mesh.seed.elapsed_ms': 21_000,
    'mesh.seed.addresses': refusal.addresses,
    'mesh.dial.stage': refusal.stage,
    'error.type': refusal.errorType,
    'mesh.error.message': refusal.errorMessage,
    'mesh.seed.delay_ms': 2_000,
    ...dialled,
  })
})

test('seed answers: the campaign ends, and the span has the number of attempts', () => {
  const { dialler, player } = play(upBetween(5_000, Infinity))
  player.runUntil(1_000_000)
  assert.deepEqual(player.dials().map(Math.round), [0, 1_000, 3_000, 7_000])
  assert.deepEqual(player.attributesOf('mesh.seed.connected'), [
    {
      'mesh.seed.address': seed,
      'mesh.seed.attempt': 4,
      'mesh.seed.attempts': 10,
      'mesh.seed.elapsed_ms': 7_000,
      'mesh.peer.id': 'peer-a',
      ...dialled,
    },
  ])
  assert.equal(dialler.deadline(), Infinity)
})

test('campaign: one trace, with its attempts and its end as children of the root', () => {
  const { player } = play(upBetween(5_000, Infinity))
  player.runUntil(10_000)
  const [root] = player.spansNamed('mesh.seed.dial')
  assert.equal(root?.parent, null)
  const children = [...player.spansNamed('mesh.seed.retry'), ...player.spansNamed('mesh.seed.connected')]
  assert.equal(children.length, 4)
  for (const child of children) assert.deepEqual(child.parent, root?.ref)
})

test('later campaign: a trace of its own, linked to the previous one', () => {
  const { player } = play()
  player.runUntil(500_000)
  const roots = player.spansNamed('mesh.seed.dial').map(({ ref }) => ref)
  const rearmed = player.spansNamed('mesh.seed.rearmed')
  assert.equal(new Set(roots.map((ref) => ref?.traceId)).size, roots.length)
  assert.equal(rearmed.length, roots.length - 1)
  for (const [i, span] of rearmed.entries()) {
    assert.deepEqual(span.links, [roots[i]])
    assert.deepEqual(span.parent, roots[i + 1])
    assert.equal(span.attributes['mesh.seed.campaign'], i + 2)
  }
})
