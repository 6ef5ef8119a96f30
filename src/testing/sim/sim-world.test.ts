import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { NetworkEvent } from '../../core/events.ts'
import { leakCheck } from '../leak-check.ts'
import { seededRandom } from '../random.ts'
import { networkSuite } from '../suite/network-suite.ts'
import { digestOf } from '../suite/suite-steps.ts'
import type { SimNetwork, SimNetworkOptions } from './sim-network.ts'
import { SimWorld } from './sim-world.ts'
import { VirtualClock } from './virtual-clock.ts'

leakCheck()

interface RecordedNode {
  readonly network: SimNetwork
  readonly events: (NetworkEvent & { readonly at: number })[]
}

function newWorld(seed = 1) {
  const clock = new VirtualClock()
  const world = new SimWorld({ clock, random: seededRandom(seed) })
  const add = (peer: string, options: SimNetworkOptions = {}): RecordedNode => {
    const network = world.addNetwork(peer, { meshes: ['m'], ...options })
    const events: RecordedNode['events'] = []
    network.start((event) => events.push({ ...event, at: clock.now() }))
    return { network, events }
  }
  return { clock, world, add }
}

function dial(from: RecordedNode, seed: string, limitMs = 10_000): void {
  from.network.perform({ do: 'dial.seed', seed, limitMs })
}

function dialTo(from: RecordedNode, to: RecordedNode): void {
  dial(from, to.network.addresses[0] as string)
}

const types = ({ events }: RecordedNode) => events.map((event) => event.type)
const idOf = ({ network }: RecordedNode) => network.snapshot()[0]?.id as string

/** A world in which a has dialled b. */
function connectedWorld() {
  const { clock, world, add } = newWorld()
  const [a, b] = [add('a'), add('b')]
  dialTo(a, b)
  clock.advance(1_000)
  return { clock, world, a, b }
}

/** The same with an open link stream. */
function linkedWorld() {
  const nodes = connectedWorld()
  nodes.a.network.perform({ do: 'open', connection: idOf(nodes.a) })
  nodes.clock.advance(1_000)
  return nodes
}

test('a killed process: its peer closes the connection at QUIC’s idle timeout, not before', () => {
  const { clock, world, a } = connectedWorld()
  world.crash('b')
  clock.advance(9_900)
  assert.equal(a.network.snapshot().length, 1, 'the ghost is still listed')
  clock.advance(200)
  assert.equal(a.network.snapshot().length, 0)
  assert.equal(a.events.at(-1)?.type, 'changed')
})

test('an identity that returns before the timeout: two connections, gossip on the dead one until it closes', () => {
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
  assert.ok(!types(after).includes('gossip'), 'the hub still publishes to the dead connection')
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

test('a dial without a listener: fails at QUIC’s timeout, succeeds if a listener starts before', () => {
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
  world.addNetwork('late', { addresses: ['/ip4/10.9.9.9/udp/4001/quic-v1'] })
  clock.advance(4_000)
  assert.ok(types(a).includes('seed.answered'))
})

test('three dials of one DNS name: each resolves it again', () => {
  const { clock, world, add } = newWorld()
  const a = add('a')
  world.addNetwork('one', { addresses: ['/ip4/10.1.0.1/udp/4001/quic-v1'] })
  world.addNetwork('two', { addresses: ['/ip6/fd00::2/udp/4001/quic-v1'] })
  const seed = '/dns4/seed.example/udp/4001/quic-v1'
  dial(a, seed)
  clock.advance(100)
  world.setHosts('seed.example', ['10.1.0.1'])
  dial(a, seed)
  clock.advance(1_000)
  world.setHosts('seed.example', ['fd00::2'])
  dial(a, seed)
  clock.advance(1_000)
  const answers = a.events.flatMap((event) => {
    if (event.type === 'seed.answered') return event.peer
    return event.type === 'seed.failed' ? `failed to ${event.failure.stage}` : []
  })
  assert.deepEqual(answers, ['failed to resolve', 'one', 'two'])
})

test('a dial to its own address: fails with SelfDial', () => {
  const { clock, add } = newWorld()
  const a = add('a')
  dialTo(a, a)
  clock.advance(10)
  const [failed] = a.events
  assert.ok(failed?.type === 'seed.failed' && failed.failure.errorType === 'SelfDial')
})

test('a full listener: refuses after the handshake, so the dial fails at identify', () => {
  const { clock, add } = newWorld()
  const [a, b, full] = [add('a'), add('b'), add('full', { maxConnections: 1 })]
  dialTo(a, full)
  clock.advance(1_000)
  dialTo(b, full)
  clock.advance(11_000)
  const failed = b.events.find((event) => event.type === 'seed.failed')
  assert.ok(failed?.type === 'seed.failed' && failed.failure.stage === 'identify')
  assert.deepEqual([b.network.snapshot().length, full.network.snapshot().length], [0, 1])
})

test('two crossed dials: two connections, since an inbound one is never deduplicated', () => {
  const { clock, add } = newWorld()
  const [a, b] = [add('a'), add('b')]
  dialTo(a, b)
  dialTo(b, a)
  clock.advance(1_000)
  assert.deepEqual([a.network.snapshot().length, b.network.snapshot().length], [2, 2])
  dialTo(a, b)
  clock.advance(1_000)
  assert.equal(a.network.snapshot().length, 2, 'an outbound dial reuses a connection')
})

test('a stopped process that wakes: runs its timers first, then its arrivals', () => {
  const { clock, world, a, b } = linkedWorld()
  b.network.process.clock.after(3_000, () => b.events.push({ type: 'changed', at: clock.now() }))
  const wake = world.freeze('b')
  b.events.length = 0
  a.network.perform({ do: 'send', connection: idOf(a), frame: { type: 'probe' } })
  clock.advance(5_000)
  assert.deepEqual(b.events, [])
  wake()
  clock.advance(0)
  assert.deepEqual(types(b), ['changed', 'frame'])
  assert.equal(b.network.snapshot().length, 1, 'shorter than the idle timeout: the connection stays open')
})

test('a process stopped for longer than the idle timeout: both ends close the connection', () => {
  const { clock, world, a, b } = connectedWorld()
  const wake = world.freeze('b')
  clock.advance(10_100)
  assert.deepEqual([a.network.snapshot().length, b.network.snapshot().length], [0, 1])
  wake()
  clock.advance(100)
  assert.equal(b.network.snapshot().length, 0)
})

test('a short partition delays frames in order; a long one closes the connection on both ends', () => {
  const { clock, world, a, b } = linkedWorld()
  const heal = world.partition(['a'], ['b'])
  const frames = [1, 2, 3].map((sequence) => ({ type: 'unchanged', incarnation: 1, sequence }) as const)
  for (const frame of frames) a.network.perform({ do: 'send', connection: idOf(a), frame })
  clock.advance(5_000)
  assert.ok(!types(b).includes('frame'))
  heal()
  clock.advance(1_000)
  assert.deepEqual(
    b.events.flatMap((event) => (event.type === 'frame' ? event.frame : [])),
    frames,
  )
  world.partition(['a'], ['b'])
  clock.advance(10_100)
  assert.deepEqual([a.network.snapshot().length, b.network.snapshot().length], [0, 0])
})

test('an abort during a partition: the far end closes once the path is back', () => {
  const { clock, world, a, b } = connectedWorld()
  const heal = world.partition(['a'], ['b'])
  a.network.perform({ do: 'close', connection: idOf(a), abort: true })
  clock.advance(2_000)
  assert.deepEqual([a.network.snapshot().length, b.network.snapshot().length], [0, 1])
  heal()
  clock.advance(200)
  assert.equal(b.network.snapshot().length, 0)
})

test('delay and skew: both apply until they are healed', () => {
  const { clock, world, a, b } = linkedWorld()
  const heals = [world.delay('b', 500), world.skew('b', 60_000)]
  const send = () => a.network.perform({ do: 'send', connection: idOf(a), frame: { type: 'probe' } })
  send()
  clock.advance(499)
  assert.ok(!types(b).includes('frame'))
  clock.advance(100)
  for (const heal of heals) heal()
  send()
  clock.advance(100)
  const isSkewed = b.events.flatMap((event) => (event.type === 'frame' ? event.wall > clock.wall() + 50_000 : []))
  assert.deepEqual(isSkewed, [true, false])
})

test('a gossip message: floods along open streams, reaches each node once, can be replayed', () => {
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
  const gossipCounts = () => [...nodes, other].map((end) => types(end).filter((type) => type === 'gossip').length)
  assert.deepEqual(gossipCounts(), [0, 1, 1, 1, 0])
  assert.equal(world.replayGossip(), 1)
  clock.advance(1_000)
  assert.deepEqual(gossipCounts(), [0, 2, 2, 2, 0])
})

test('two runs of one seed: the same events; another seed: different events', () => {
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

networkSuite('SimNetwork', {
  async create(count, { guests, mesh }) {
    const { clock, world } = newWorld()
    const networks = Array.from({ length: count }, (_, index) => world.addNetwork(`peer-${index}`, { meshes: [mesh] }))
    const silent = Array.from({ length: guests }, (_, index) => world.addNetwork(`guest-${index}`, { guest: true }))
    return {
      networks,
      addresses: networks.map((network) => network.addresses[0] as string),
      guests: silent.map((network) => network.addresses[0] as string),
      deadAddress: '/ip4/10.255.255.254/udp/4001/quic-v1',
      settle: async (ms) => clock.advance(ms),
      close: async () => {},
    }
  },
})
