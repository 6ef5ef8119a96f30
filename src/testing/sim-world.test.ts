import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { NetworkEvent } from '../core/events.ts'
import { leakCheck } from './leak-check.ts'
import { seededRandom } from './random.ts'
import type { SimNetwork, SimNetworkOptions } from './sim-network.ts'
import { SimWorld } from './sim-world.ts'
import { digestOf } from './suite-frames.ts'
import { VirtualClock } from './virtual-clock.ts'

leakCheck()

interface Heard {
  readonly network: SimNetwork
  readonly events: (NetworkEvent & { readonly at: number })[]
}

function newWorld(seed = 1) {
  const clock = new VirtualClock()
  const world = new SimWorld({ clock, random: seededRandom(seed) })
  const add = (peer: string, options: SimNetworkOptions = {}): Heard => {
    const network = world.network(peer, { meshes: ['m'], ...options })
    const events: Heard['events'] = []
    network.start((event) => events.push({ ...event, at: clock.now() }))
    return { network, events }
  }
  return { clock, world, add }
}

function dial(from: Heard, seed: string, limitMs = 10_000): void {
  from.network.perform({ do: 'dial.seed', seed, limitMs })
}

function dialTo(from: Heard, to: Heard): void {
  dial(from, to.network.addresses[0] as string)
}

const types = ({ events }: Heard) => events.map((event) => event.type)
const idOf = ({ network }: Heard) => network.snapshot()[0]?.id as string

test('who is killed is missed after QUIC’s idle timeout and not before', () => {
  const { clock, world, add } = newWorld()
  const [a, b] = [add('a'), add('b')]
  dialTo(a, b)
  clock.advance(1_000)
  world.crash('b')
  clock.advance(9_900)
  assert.equal(a.network.snapshot().length, 1, 'the ghost stands')
  clock.advance(200)
  assert.equal(a.network.snapshot().length, 0)
  assert.equal(a.events.at(-1)?.type, 'changed')
})

test('the same identity back in time gives two connections, and gossip stays on the dead one until it goes', () => {
  const { clock, world, add } = newWorld()
  const [hub, before] = [add('hub'), add('b')]
  dialTo(before, hub)
  clock.advance(1_000)
  world.crash('b')
  const after = add('b')
  dialTo(after, hub)
  clock.advance(1_000)
  assert.equal(hub.network.snapshot().length, 2)
  hub.network.perform({ do: 'gossip', mesh: 'm', digest: digestOf('hub', 1) })
  clock.advance(1_000)
  assert.ok(!types(after).includes('gossip'), 'the hub speaks to the dead')
  clock.advance(9_000)
  const [left] = hub.network.snapshot()
  assert.deepEqual([hub.network.snapshot().length, left?.gossip], [1, 'missing'])
  hub.network.perform({ do: 'heal', lack: 'missing', connection: left?.id as string })
  clock.advance(1_000)
  assert.equal(hub.network.snapshot()[0]?.gossip, 'open')
  hub.network.perform({ do: 'gossip', mesh: 'm', digest: digestOf('hub', 2) })
  clock.advance(1_000)
  assert.ok(types(after).includes('gossip'))
})

test('dialling nobody takes as long as QUIC waits, and finds whoever comes up meanwhile', () => {
  const { clock, world, add } = newWorld()
  const a = add('a')
  dial(a, '/ip4/10.9.9.9/udp/4001/quic-v1', 60_000)
  clock.advance(9_999)
  assert.deepEqual(types(a), [])
  clock.advance(2)
  const [failed] = a.events
  assert.ok(failed?.type === 'seed.failed' && failed.failure.stage === 'dial')
  dial(a, '/ip4/10.9.9.9/udp/4001/quic-v1')
  clock.advance(5_000)
  world.network('late', { addresses: ['/ip4/10.9.9.9/udp/4001/quic-v1'] })
  clock.advance(4_000)
  assert.ok(types(a).includes('seed.answered'))
})

test('a name is looked up anew for each dial', () => {
  const { clock, world, add } = newWorld()
  const a = add('a')
  world.network('one', { addresses: ['/ip4/10.1.0.1/udp/4001/quic-v1'] })
  world.network('two', { addresses: ['/ip6/fd00::2/udp/4001/quic-v1'] })
  const seed = '/dns4/seed.example/udp/4001/quic-v1'
  dial(a, seed)
  clock.advance(100)
  world.name('seed.example', ['10.1.0.1'])
  dial(a, seed)
  clock.advance(1_000)
  world.name('seed.example', ['fd00::2'])
  dial(a, seed)
  clock.advance(1_000)
  const answers = a.events.filter((event) => event.type !== 'changed')
  assert.deepEqual(
    answers.map((event) => (event.type === 'seed.answered' ? event.peer : event.type)),
    ['seed.failed', 'one', 'two'],
  )
  assert.ok(answers[0]?.type === 'seed.failed' && answers[0].failure.stage === 'resolve')
})

test('a node does not connect to itself', () => {
  const { clock, add } = newWorld()
  const a = add('a')
  dialTo(a, a)
  clock.advance(10)
  const [failed] = a.events
  assert.ok(failed?.type === 'seed.failed' && failed.failure.errorType === 'SelfDial')
})

test('a full listener refuses after the handshake, so the dialler only learns it at identify', () => {
  const { clock, add } = newWorld()
  const [a, b, full] = [add('a'), add('b'), add('full', { connectionsMax: 1 })]
  dialTo(a, full)
  clock.advance(1_000)
  dialTo(b, full)
  clock.advance(11_000)
  const failed = b.events.find((event) => event.type === 'seed.failed')
  assert.ok(failed?.type === 'seed.failed' && failed.failure.stage === 'identify')
  assert.deepEqual([b.network.snapshot().length, full.network.snapshot().length], [0, 1])
})

test('crossed dials leave two connections: an inbound one is never deduplicated', () => {
  const { clock, add } = newWorld()
  const [a, b] = [add('a'), add('b')]
  dialTo(a, b)
  dialTo(b, a)
  clock.advance(1_000)
  assert.deepEqual([a.network.snapshot().length, b.network.snapshot().length], [2, 2])
  dialTo(a, b)
  clock.advance(1_000)
  assert.equal(a.network.snapshot().length, 2, 'but an outbound dial takes what is there')
})

test('a stopped process wakes to its timers first and what arrived meanwhile after them', () => {
  const { clock, world, add } = newWorld()
  const [a, b] = [add('a'), add('b')]
  dialTo(a, b)
  clock.advance(1_000)
  a.network.perform({ do: 'open', connection: idOf(a) })
  clock.advance(1_000)
  b.network.process.clock.after(3_000, () => b.events.push({ type: 'changed', at: clock.now() }))
  const wake = world.freeze('b')
  b.events.length = 0
  a.network.perform({ do: 'send', connection: idOf(a), frame: { type: 'probe' } })
  clock.advance(5_000)
  assert.deepEqual(b.events, [])
  wake()
  clock.advance(0)
  assert.deepEqual(types(b), ['changed', 'frame'])
  assert.equal(b.network.snapshot().length, 1, 'shorter than the idle timeout: the connection lives')
})

test('a process stopped for longer than the idle timeout has lost its connections on both ends', () => {
  const { clock, world, add } = newWorld()
  const [a, b] = [add('a'), add('b')]
  dialTo(a, b)
  clock.advance(1_000)
  const wake = world.freeze('b')
  clock.advance(10_100)
  assert.deepEqual([a.network.snapshot().length, b.network.snapshot().length], [0, 1])
  wake()
  clock.advance(100)
  assert.equal(b.network.snapshot().length, 0)
})

test('a short partition only delays, in order; a long one ends connections on both ends', () => {
  const { clock, world, add } = newWorld()
  const [a, b] = [add('a'), add('b')]
  dialTo(a, b)
  clock.advance(1_000)
  a.network.perform({ do: 'open', connection: idOf(a) })
  clock.advance(1_000)
  const mend = world.partition(['a'], ['b'])
  for (let sequence = 1; sequence <= 3; sequence++) {
    const frame = { type: 'unchanged', incarnation: 1, sequence } as const
    a.network.perform({ do: 'send', connection: idOf(a), frame })
  }
  clock.advance(5_000)
  assert.ok(!types(b).includes('frame'))
  mend()
  clock.advance(1_000)
  const sequences = b.events.flatMap((event) =>
    event.type === 'frame' && event.frame.type === 'unchanged' ? [event.frame.sequence] : [],
  )
  assert.deepEqual(sequences, [1, 2, 3])
  world.partition(['a'], ['b'])
  clock.advance(10_100)
  assert.deepEqual([a.network.snapshot().length, b.network.snapshot().length], [0, 0])
})

test('an abort that could not be told is learnt when the path is back', () => {
  const { clock, world, add } = newWorld()
  const [a, b] = [add('a'), add('b')]
  dialTo(a, b)
  clock.advance(1_000)
  const mend = world.partition(['a'], ['b'])
  a.network.perform({ do: 'close', connection: idOf(a), abort: true })
  clock.advance(2_000)
  assert.deepEqual([a.network.snapshot().length, b.network.snapshot().length], [0, 1])
  mend()
  clock.advance(200)
  assert.equal(b.network.snapshot().length, 0)
})

test('delay and skew add up while they last', () => {
  const { clock, world, add } = newWorld()
  const [a, b] = [add('a'), add('b')]
  dialTo(a, b)
  clock.advance(1_000)
  a.network.perform({ do: 'open', connection: idOf(a) })
  clock.advance(1_000)
  const heals = [world.delay('b', 500), world.skew('b', 60_000)]
  const send = () => a.network.perform({ do: 'send', connection: idOf(a), frame: { type: 'probe' } })
  send()
  clock.advance(499)
  assert.ok(!types(b).includes('frame'))
  clock.advance(100)
  for (const heal of heals) heal()
  send()
  clock.advance(100)
  const walls = b.events.flatMap((event) => (event.type === 'frame' ? [event.wall] : []))
  assert.deepEqual(
    walls.map((wall) => wall > clock.wall() + 50_000),
    [true, false],
  )
})

test('gossip floods along open streams, is heard once each, and can be replayed late', () => {
  const { clock, world, add } = newWorld()
  const nodes = [add('a'), add('b'), add('c'), add('d')] as const
  const [a, b, c, d] = nodes
  const other = add('other', { meshes: ['another'] })
  dialTo(a, b)
  dialTo(b, c)
  dialTo(c, a)
  dialTo(c, d)
  dialTo(other, b)
  clock.advance(1_000)
  a.network.perform({ do: 'gossip', mesh: 'm', digest: digestOf('a', 1) })
  clock.advance(1_000)
  const heard = () => [...nodes, other].map((end) => types(end).filter((type) => type === 'gossip').length)
  assert.deepEqual(heard(), [0, 1, 1, 1, 0])
  assert.equal(world.gossip.replay(), 1)
  clock.advance(1_000)
  assert.deepEqual(heard(), [0, 2, 2, 2, 0])
})

test('the same seed is the same run, event for event', () => {
  const run = (seed: number) => {
    const { clock, add } = newWorld(seed)
    const nodes = ['a', 'b', 'c', 'd'].map((peer) => add(peer))
    for (const from of nodes) for (const to of nodes) if (from !== to) dialTo(from, to)
    clock.advance(5_000)
    return JSON.stringify(nodes.map(({ events }) => events))
  }
  assert.equal(run(7), run(7))
  assert.notEqual(run(7), run(8))
})
