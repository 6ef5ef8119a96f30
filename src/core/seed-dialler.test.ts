import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { seededRandom } from '../testing/random.ts'
import { gaps, highest, near, play, refused, seed, upBetween } from '../testing/seed-fixture.ts'
import { type Outcome, refusal, type SeedPlayer } from '../testing/seed-player.ts'
import { SeedDialler } from './seed-dialler.ts'

leakCheck()

const { address } = refusal

test('a silent seed is dialled at once and ten times in all, then given up once', () => {
  const { player } = play(() => refused)
  player.runUntil(152_000)
  assert.equal(player.dials()[0], 0)
  assert.deepEqual(gaps(player.dials().slice(0, 10)), [1, 2, 4, 8, 16, 30, 30, 30, 30])
  assert.equal(player.spansNamed('mesh.seed.retry').length, 9)
  assert.equal(player.spansNamed('mesh.seed.giveup').length, 1)
})

test('the lowest draw waits half as long', () => {
  const { player } = play(
    () => refused,
    () => 0,
  )
  player.runUntil(76_000)
  assert.deepEqual(gaps(player.dials()), [0.5, 1, 2, 4, 8, 15, 15, 15, 15])
})

test('alone, a seed that was given up is tried every 30 s, however long an attempt takes; each ten are a campaign', () => {
  for (const afterMs of [0, 10_000]) {
    const { player } = play(() => ({ afterMs }))
    player.runUntil(1_000_000)
    const givenUpAt = player.effects.find(
      ({ effect }) => effect.do === 'emit-span' && effect.span === 'mesh.seed.giveup',
    )?.at
    const later = player.dials().slice(10)
    near(later[0], (givenUpAt ?? 0) + 30_000)
    assert.deepEqual(new Set(gaps(later)), new Set([30]))
    const causes = player.spansNamed('mesh.seed.dial').map(({ attributes }) => attributes['mesh.seed.cause'])
    assert.deepEqual(causes.slice(0, 3), ['start', 'alone', 'alone'])
    assert.deepEqual(
      player.spansNamed('mesh.seed.giveup').map(({ attributes }) => attributes['mesh.seed.attempt']),
      player.spansNamed('mesh.seed.giveup').map(() => 10),
    )
  }
})

test('with other peers, a seed that was given up is tried again after five minutes, in a whole campaign', () => {
  const { player } = play(() => refused)
  player.send({ type: 'peers', count: 3 })
  player.runUntil(127_000 + 24_000 + 300_000 + 60_000)
  const second = player.dials().slice(10)
  near(second[0], 151_000 + 300_000)
  assert.deepEqual(gaps(second).slice(0, 5), [1, 2, 4, 8, 16])
  assert.equal(player.spansNamed('mesh.seed.dial')[1]?.attributes['mesh.seed.cause'], 'periodic')
  assert.equal(player.spansNamed('mesh.seed.rearmed')[0]?.attributes['mesh.seed.delay_ms'], 0)
})

test('resting alone, the first peer puts the next campaign off to five minutes after the give-up', () => {
  const { dialler, player } = play(() => refused)
  player.runUntil(170_000)
  near(dialler.deadline(), 181_000)
  player.send({ type: 'peers', count: 1 })
  near(dialler.deadline(), 451_000)
})

test('a count that says nothing new changes nothing', () => {
  const { dialler, player } = play(() => refused)
  player.runUntil(170_000)
  assert.deepEqual(player.send({ type: 'peers', count: 0 }), [])
  near(dialler.deadline(), 181_000)
})

test('resting with peers, the loss of the last one begins a campaign within half a second to one', () => {
  for (const [draw, expected] of [
    [0, 500],
    [highest, 1_000],
  ] as const) {
    const { player } = play(
      () => refused,
      () => draw,
    )
    player.send({ type: 'peers', count: 1 })
    player.runUntil(200_000)
    const before = player.dials().length
    player.send({ type: 'peers', count: 0 })
    player.runUntil(202_000)
    near(player.dials()[before], 200_000 + expected)
    const rearmed = player.spansNamed('mesh.seed.rearmed').at(-1)
    assert.equal(rearmed?.attributes['mesh.seed.cause'], 'lost')
    assert.equal(rearmed?.attributes['mesh.seed.delay_ms'], expected)
  }
})

test('a campaign under way is not begun anew by the loss of the last peer', () => {
  const { dialler, player } = play(() => refused)
  player.send({ type: 'peers', count: 1 })
  player.runUntil(20_000)
  const due = dialler.deadline()
  assert.deepEqual(player.send({ type: 'peers', count: 0 }), [])
  assert.equal(dialler.deadline(), due)
})

test('a seed that is lost while other peers remain is wanted back', () => {
  const { player } = play(upBetween(0, Infinity))
  player.runUntil(100)
  player.send({ type: 'peers', count: 5 })
  player.runUntil(60_000)
  assert.deepEqual(player.send({ type: 'disconnected', peer: 'somebody else' }), [])
  player.send({ type: 'disconnected', peer: 'peer-a' })
  player.runUntil(70_000)
  assert.deepEqual(player.dials().map(Math.round), [0, 61_000])
  assert.equal(player.spansNamed('mesh.seed.dial')[1]?.attributes['mesh.seed.cause'], 'lost')
})

test('losing the seed and with it the last peer is one loss, in whichever order it is heard', () => {
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

test('a seed that hangs up soon after each answer is met with growing waits, until it stays', () => {
  const { player } = play(upBetween(0, Infinity))
  player.send({ type: 'peers', count: 2 })
  player.runUntil(0)
  const delays = [0, 0, 0, 0, 29_000, 31_000].map((stoodMs) => {
    player.runUntil(player.now + stoodMs)
    player.send({ type: 'disconnected', peer: 'peer-a' })
    const delay = player.spansNamed('mesh.seed.rearmed').at(-1)?.attributes['mesh.seed.delay_ms'] ?? 0
    player.runUntil(player.now + delay)
    return delay
  })
  assert.deepEqual(delays, [1_000, 2_000, 4_000, 8_000, 16_000, 1_000])
})

test('an answer after the attempt was counted as failed is ignored', () => {
  const { dialler, player } = play(() => refused)
  player.runUntil(500)
  const due = dialler.deadline()
  assert.deepEqual(player.send({ type: 'seed.answered', seed, peer: 'peer-a', address }), [])
  assert.deepEqual(player.send({ type: 'seed.failed', seed, failure: refusal }), [])
  assert.deepEqual(player.send({ type: 'seed.answered', seed: 'no seed of ours', peer: 'peer-a', address }), [])
  assert.equal(dialler.deadline(), due)
})

test('each end of an attempt names the seed as configured and the address that was dialled, and lasts as long', () => {
  const { player } = play((_, at) => ({ afterMs: 1_500, ...(at > 300_000 ? { peer: 'peer-a' } : {}) }))
  player.runUntil(700_000)
  for (const name of ['mesh.seed.retry', 'mesh.seed.giveup', 'mesh.seed.connected'] as const) {
    const span = player.effects.find(({ effect }) => effect.do === 'emit-span' && effect.span === name)
    assert.ok(span?.effect.do === 'emit-span', name)
    assert.partialDeepStrictEqual(span.effect.attributes, {
      'server.address': 'seed.example',
      'server.port': 4_001,
      'network.peer.address': '192.0.2.1',
      'network.peer.port': 4_001,
      'network.transport': 'tcp',
    })
    assert.equal(Math.round(span.at - (span.effect.since ?? Infinity)), 1_500, name)
  }
})

test('an attempt in which nothing was dialled has no address, a seed without port no port', () => {
  const bare = '/dnsaddr/seed.example'
  const { player } = play(() => undefined, undefined, [bare])
  player.runUntil(1)
  const unresolved = { stage: 'resolve', addresses: [], errorType: 'ENOTFOUND', errorMessage: 'no such name' } as const
  player.send({ type: 'seed.failed', seed: bare, failure: unresolved })
  const [retry] = player.spansNamed('mesh.seed.retry')
  assert.equal(retry?.attributes['server.address'], 'seed.example')
  for (const key of ['server.port', 'network.peer.address', 'network.peer.port', 'network.transport'])
    assert.ok(!Object.hasOwn(retry?.attributes ?? {}, key), key)
})

test('an attempt whose end is never reported counts as failed after its limit and two seconds', () => {
  const { player } = play(() => undefined)
  player.runUntil(13_000)
  const [retry] = player.spansNamed('mesh.seed.retry')
  assert.equal(retry?.attributes['mesh.dial.stage'], 'dial')
  assert.equal(retry?.attributes['mesh.seed.elapsed_ms'], 12_000)
  assert.deepEqual(player.dials().map(Math.round), [0, 13_000])
})

test('a node that slept through its attempts goes on with one dial, not with all that it missed', () => {
  const { dialler } = play(() => undefined)
  dialler.handle({ type: 'tick' }, 0)
  const effects = dialler.handle({ type: 'tick' }, 3_600_000)
  assert.deepEqual(
    effects.map((effect) => effect.do),
    ['emit-span'],
  )
  assert.ok(dialler.deadline() > 3_600_000)
})

test('alone, a wait that was slept through is no wait, not a negative one', () => {
  const slept = new SeedDialler([seed], { random: seededRandom(1) })
  let now = 0
  for (; slept.seeds()[0]?.campaign !== 2; now = slept.deadline()) slept.handle({ type: 'tick' }, now)
  const late = slept.handle({ type: 'seed.failed', seed, failure: refusal }, now + 3_600_000)
  assert.ok(late[0]?.do === 'emit-span' && late[0].span === 'mesh.seed.retry')
  assert.equal(late[0].attributes['mesh.seed.delay_ms'], 0)
})

test('seeds are dialled apart from each other; one that is named twice is one seed', () => {
  const other = '/ip4/192.0.2.7/tcp/4001'
  const up = (of: string): Outcome => (of === other ? { afterMs: 0, peer: 'peer-b' } : refused)
  const { dialler, player } = play(up, () => highest, [seed, other, seed])
  player.runUntil(5_000)
  assert.equal(player.dials(other).length, 1)
  assert.equal(player.dials(seed).length, 3)
  const [first, second] = dialler.seeds()
  assert.deepEqual(second, {
    address: other,
    state: 'connected',
    attempt: 1,
    campaign: 1,
    nextAt: undefined,
    peer: 'peer-b',
  })
  assert.deepEqual(
    { ...first, nextAt: Math.round(first?.nextAt ?? 0) },
    {
      address: seed,
      state: 'waiting',
      attempt: 3,
      campaign: 1,
      nextAt: 7_000,
      peer: undefined,
    },
  )
})

test('a seed may come back as somebody else', () => {
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

test('a seed that is this node itself rests, and that is emitted once', () => {
  const { dialler, player } = play(() => ({ afterMs: 0, errorType: 'SelfDial' }))
  const told = () => player.effects.filter(({ effect }) => effect.do === 'emit-span')
  player.runUntil(1_000)
  const [view] = dialler.seeds()
  assert.deepEqual([view?.state, view?.attempt], ['self', 0])
  player.send({ type: 'peers', count: 1 })
  player.send({ type: 'peers', count: 0 })
  player.runUntil(600_000)
  assert.equal(told().length, 2)
  assert.equal(player.spansNamed('mesh.seed.dial').length, 1)
  assert.deepEqual(
    player.spansNamed('mesh.seed.self').map(({ attributes }) => attributes['mesh.seed.others']),
    [0],
  )
  assert.deepEqual(new Set(gaps(player.dials())), new Set([30]))
})

test('among others, a seed that is this node itself is looked at again every five minutes', () => {
  const { player } = play(() => ({ afterMs: 0, errorType: 'SelfDial' }))
  player.send({ type: 'peers', count: 3 })
  player.runUntil(1_000_000)
  assert.deepEqual(gaps(player.dials()), [300, 300, 300])
})

test('a name that led to this node itself may lead to others later', () => {
  const itself: Outcome = { afterMs: 0, errorType: 'SelfDial' }
  const { dialler, player } = play((_, at) => (at < 50_000 ? itself : { afterMs: 0, peer: 'peer-a' }))
  player.runUntil(61_000)
  assert.equal(dialler.seeds()[0]?.state, 'connected')
  assert.equal(player.spansNamed('mesh.seed.connected')[0]?.attributes['mesh.seed.attempt'], 1)
})

const linked = { peer: 'peer-a', address: '/ip4/192.0.2.1/tcp/4001' }

/** An attempt fails while the peer behind the seed is linked by another address. */
function bypass(player: SeedPlayer, errorType = 'TimeoutError') {
  player.send({ type: 'peers', count: 2 })
  player.send({ type: 'tick' })
  return player.send({ type: 'seed.failed', seed, failure: { ...refusal, errorType }, linked })
}

test('a seed whose peer is linked by another address is no give-up: its path is emitted once, and it rests', () => {
  const { dialler, player } = play(() => undefined)
  bypass(player)
  assert.equal(dialler.seeds()[0]?.state, 'linked-elsewhere')
  for (let campaign = 0; campaign < 3; campaign++) {
    player.runUntil(dialler.deadline() + 1_000)
    player.send({ type: 'seed.failed', seed, failure: { ...refusal, errorType: 'TimeoutError' }, linked })
  }
  const [blocked, ...more] = player.spansNamed('mesh.path.blocked')
  assert.deepEqual(
    [
      blocked?.attributes['mesh.path.reached_by'],
      blocked?.attributes['error.type'],
      blocked?.attributes['mesh.peer.id'],
    ],
    [linked.address, 'TimeoutError', 'peer-a'],
  )
  assert.deepEqual(more, [])
  for (const span of ['mesh.seed.giveup', 'mesh.seed.retry'] as const) assert.deepEqual(player.spansNamed(span), [])
  assert.deepEqual(gaps(player.dials()), [300, 301, 301])
  assert.ok(player.effects.some(({ effect }) => effect.do === 'dial.seed' && effect.fresh === true))
})

test('a change of why the address does not answer is emitted again', () => {
  const { player } = play(() => undefined)
  bypass(player)
  player.runUntil(301_000)
  player.send({ type: 'seed.failed', seed, failure: { ...refusal, errorType: 'EHOSTUNREACH' }, linked })
  assert.equal(player.spansNamed('mesh.path.blocked').length, 2)
})

test('when the address answers at last, that is emitted, and the seed is connected', () => {
  const { dialler, player } = play(() => undefined)
  bypass(player)
  player.runUntil(301_000)
  player.send({ type: 'seed.answered', seed, peer: 'peer-a', address })
  assert.equal(player.spansNamed('mesh.path.restored').length, 1)
  assert.equal(dialler.seeds()[0]?.state, 'connected')
})

test('when the link by the other address is lost, the campaign begins anew', () => {
  const { player } = play(() => undefined)
  bypass(player)
  player.send({ type: 'disconnected', peer: 'peer-a' })
  player.runUntil(player.now + 1_000)
  assert.equal(player.spansNamed('mesh.seed.rearmed')[0]?.attributes['mesh.seed.cause'], 'lost')
  assert.equal(player.dials().length, 2)
})

test('an answer by a connection to another address is no path that works again', () => {
  const { dialler, player } = play(() => undefined)
  player.send({ type: 'tick' })
  player.send({ type: 'seed.failed', seed, failure: refusal })
  player.runUntil(1_500)
  player.send({ type: 'seed.answered', seed, peer: 'peer-a', address, elsewhere: linked.address })
  assert.equal(dialler.seeds()[0]?.state, 'linked-elsewhere')
  assert.equal(player.spansNamed('mesh.path.blocked').length, 1)
})

test('a failure of which no peer is known is retried and given up, although others are linked', () => {
  const { player } = play(() => refused)
  player.send({ type: 'peers', count: 3 })
  player.runUntil(160_000)
  assert.equal(player.spansNamed('mesh.seed.giveup').length, 1)
  assert.deepEqual(player.spansNamed('mesh.path.blocked'), [])
})

test('a node without seeds asks for nothing', () => {
  const { dialler, player } = play(
    () => refused,
    () => 0,
    [],
  )
  assert.deepEqual(player.send({ type: 'tick' }), [])
  assert.equal(dialler.deadline(), Infinity)
})

test('more seeds than the bound are refused', () => {
  const seeds = Array.from({ length: 33 }, (_, i) => `/ip4/192.0.2.${i}/tcp/4001`)
  const code = 'MESH_LIMIT_REACHED'
  assert.throws(() => new SeedDialler(seeds, { random: seededRandom(1) }), { code })
})
