import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { SpanEffect } from '../catalogue/span-effect.ts'
import type { Network, NetworkEffect } from '../core/events.ts'
import { limits } from '../core/limits.ts'
import { Owner } from '../core/owner.ts'
import { until } from '../processes/waiting.ts'
import { createLogger } from '../telemetry/logger.ts'
import { startTelemetry } from '../telemetry/telemetry.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { VirtualClock } from '../testing/sim/virtual-clock.ts'
import { type App, startApp, withLinkedApps } from '../testing/suite/mesh-app.ts'
import { systemClock } from './clock.ts'
import {
  type Fault,
  type FaultyParts,
  faultNames,
  faultyClock,
  faultyLimits,
  faultyNetwork,
  faultyProbe,
  holdsSweep,
  startFaults,
  sweepsGossip,
} from './faults.ts'
import { tracemeshInternal } from './service.ts'

leakCheck()

const initOf = (...faults: Fault[]) => ({ sweepMs: 200, neighbours: 0, closes: 'all', faults }) as const
const startNode = (...faults: Fault[]) => startApp(initOf(...faults), { gossip: false })

describe('without a fault nothing changes', () => {
  test('network, clock, limits and sweep are the originals', () => {
    const network = fakeNetwork([])
    const others = (...mine: Fault[]) => faultNames.filter((fault) => !mine.includes(fault))
    assert.equal(faultyNetwork(network, others('keep-connections')), network)
    assert.equal(faultyClock(systemClock, others('skew-clock')), systemClock)
    assert.deepEqual(faultyLimits(others('lose-spans')), {})
    assert.equal(holdsSweep(others('hold-sweep')), false)
    assert.equal(faultyProbe(others('no-descriptors')), undefined)
  })

  test('no resources, no log lines', () => {
    const { parts, clock, owner, lines } = fakeParts()
    startFaults([], parts)
    clock.advance(600_000)
    assert.deepEqual(
      [owner.inventory(), lines],
      [{ registries: [], resources: [], totals: { adopted: 0, released: 0 } }, []],
    )
  })

  test('a node sweeps, keeps one connection, and emits no fault', () =>
    withLinkedApps([initOf(), initOf()], async (one) => {
      await sleep(2_500)
      assert.ok(one.spansNamed('mesh.staleness.pruned').length > 0)
      assert.equal(one.libp2p.getConnections().length, 1)
      const requests = one.mesh.inventory().registries.find(({ name }) => name === 'requests')
      assert.deepEqual([requests?.size, one.spansNamed('mesh.clock.skewed').length], [0, 0])
      assert.deepEqual(settingsOf(one), [])
    }))
})

describe('an injected fault', () => {
  test('an unknown name throws MESH_CONFIG_INVALID', () => {
    assert.throws(() => tracemeshInternal({ faults: ['explode' as Fault] }), {
      code: 'MESH_CONFIG_INVALID',
      message: /faults.*hold-sweep, keep-connections/,
    })
  })

  test('the span of the start and the log name it', async () => {
    await using node = await startNode('hold-sweep')
    assert.deepEqual(settingsOf(node), ['fault hold-sweep'])
    const { parts, lines } = fakeParts()
    startFaults(['hold-sweep'], parts)
    assert.match(lines.join(), /"level":"warn".*"faults":\["hold-sweep"\].*injected faults/)
  })

  test('hold-sweep: no span of a sweep', async () => {
    await using node = await startNode('hold-sweep')
    await sleep(1_000)
    assert.equal(node.spansNamed('mesh.staleness.pruned').length, 0)
  })

  test('keep-connections: more connections open than the bound of a pair, and the stop closes them', () =>
    withLinkedApps(Array(2).fill(initOf('keep-connections')), async (one, other) => {
      const open = () => one.libp2p.getConnections().length
      await until(() => open() > limits.linksPerPeer, 20_000, 'more connections than a pair may have')
      assert.equal(one.spansNamed('mesh.connection.closed').length, 0)
      assert.ok(one.spansNamed('mesh.connection.superseded').length > 0)
      assert.ok(
        one.spansNamed('mesh.connection.opened').length > limits.linksPerPeer,
        'those that the ledger refused, too',
      )
      await until(() => other.libp2p.getConnections().length > limits.linksPerPeer, 30_000, 'there as well')
    }))

  test('keep-connections: only close effects are dropped', () => {
    const effects: NetworkEffect[] = []
    const network = faultyNetwork(fakeNetwork(effects), ['keep-connections'])
    network.perform({ do: 'close', connection: 'c', abort: true })
    network.perform({ do: 'open', connection: 'c' })
    assert.deepEqual(effects, [{ do: 'open', connection: 'c' }])
  })

  test('grow-registry: it grows over minutes and hours, and stays below its bound', async () => {
    const { parts, clock, owner } = fakeParts()
    startFaults(['grow-registry'], parts)
    const census = () => owner.inventory().registries[0]
    const sizes = [60_000, 3_600_000, 3_600_000].map((ms) => {
      clock.advance(ms)
      return census()?.size
    })
    assert.deepEqual(sizes, [31, 1_831, 3_631])
    clock.advance(24 * 3_600_000)
    const { size = 0, capacity = 0, owner: ownerName } = census() ?? {}
    assert.ok(size < capacity, `${size} of ${capacity}`)
    assert.deepEqual([clock.pending, ownerName], [0, 't/fault'])
    await owner.close()
    assert.deepEqual(owner.inventory().registries, [])
  })

  test('lose-spans: a burst of spans exceeds the queue', async () => {
    const exporter = { export: (_: unknown, done: (result: { code: number }) => void) => done({ code: 0 }) }
    const resource = { meshId: 'm', nodeName: 'n', role: 'compute', incarnation: 1, peer: 'p', version: '1' } as const
    const countLost = async (...faults: Fault[]) => {
      const clock = new VirtualClock()
      const options = { clock, resource, limits: faultyLimits(faults) }
      const telemetry = startTelemetry({ ...options, exporter: { ...exporter, shutdown: async () => {} } })
      const span = {
        do: 'emit-span',
        span: 'mesh.window',
        attributes: { 'mesh.window.seq': 1, 'mesh.node.uptime_ms': 1 },
      }
      for (let index = 0; index < 12; index++) telemetry.emit(span as SpanEffect, undefined)
      const lost = telemetry.stats.lostTotal
      const closing = telemetry.close(1_000)
      clock.advance(1_000)
      await closing
      return lost
    }
    assert.deepEqual([await countLost('lose-spans'), await countLost()], [10, 0])
  })

  test('skew-clock: other nodes detect the skew at the first digest', async () => {
    await using accurate = await startNode()
    await using skewed = await startNode('skew-clock')
    await accurate.dial(skewed)
    await until(() => accurate.spansNamed('mesh.clock.skewed').length > 0, 30_000, 'skew')
  })

  test('no-descriptors: the node emits that it has run out of descriptors', async () => {
    await using node = await startNode('no-descriptors')
    const exhausted = node.spansNamed('mesh.resource.exhausted').map(({ attributes }) => Object.values(attributes))
    assert.deepEqual(exhausted, [['descriptors', 'EMFILE', 'open']])
  })

  test('keep-ghosts, grow-topics: another ghost and topic every two seconds, and no sweep', async () => {
    const { parts, owner, clock } = fakeParts()
    const gossip = { mesh: new Map([['news', new Set<string>()]]) }
    const topics: string[] = []
    startFaults(['keep-ghosts', 'grow-topics'], {
      ...parts,
      gossip,
      pubsub: { subscribe: (topic) => topics.push(topic) },
    })
    clock.advance(10_000)
    assert.deepEqual([gossip.mesh.get('news')?.size, topics.length], [6, 6])
    assert.deepEqual([sweepsGossip(['keep-ghosts']), sweepsGossip(['grow-topics'])], [false, true])
    await owner.close()
    clock.advance(10_000)
    assert.equal(topics.length, 6)
  })

  test('hold-memory: it is resident, has a name in the inventory, and ends with the owner', async () => {
    const { parts, owner } = fakeParts()
    const mib = () => process.memoryUsage().rss / 1024 / 1024
    const before = mib()
    startFaults(['hold-memory'], parts)
    assert.ok(mib() - before > 200, `${mib() - before} MiB more`)
    const names = owner.inventory().resources.map(({ name }) => name)
    assert.deepEqual(names, ['memory held by a fault'])
    await owner.close()
    assert.deepEqual(owner.inventory().resources, [])
  })
})

function settingsOf(node: App): unknown {
  return node.spansNamed('mesh.node.started')[0]?.attributes['mesh.node.settings']
}

function fakeNetwork(effects: NetworkEffect[]): Network {
  return {
    self: 'self',
    start: async () => {},
    stop: async () => {},
    snapshot: () => [],
    observe: () => [],
    perform: (effect) => void effects.push(effect),
  }
}

function fakeParts() {
  const clock = new VirtualClock()
  const owner = new Owner('t', clock)
  const lines: string[] = []
  const logger = createLogger({ level: 'info', destination: { write: (line) => void lines.push(line) } })
  const components = {
    connectionManager: { getConnections: () => [] },
    transportManager: { dial: assert.fail, dialTransportForMultiaddr: () => undefined },
  } as unknown as FaultyParts['components']
  const parts: FaultyParts = { owner, clock, components, logger }
  return { parts, clock, owner, lines }
}
