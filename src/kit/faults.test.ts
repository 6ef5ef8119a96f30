import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { identify } from '@libp2p/identify'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import type { SpanEffect } from '../catalogue/span-effect.ts'
import type { SpanName } from '../catalogue/spans.ts'
import { isMeshError } from '../core/errors.ts'
import type { Network, NetworkEffect } from '../core/events.ts'
import { limits } from '../core/limits.ts'
import { Owner } from '../core/owner.ts'
import { until } from '../processes/waiting.ts'
import { createLogger } from '../telemetry/logger.ts'
import { startTelemetry } from '../telemetry/telemetry.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { recordingTelemetry } from '../testing/otlp/recording-telemetry.ts'
import { VirtualClock } from '../testing/sim/virtual-clock.ts'
import { listenOn } from '../testing/suite/real-world.ts'
import { systemClock } from './clock.ts'
import {
  type Fault,
  type FaultyParts,
  faultNames,
  faultyClock,
  faultyLimits,
  faultyNetwork,
  faultyProbe,
  faultySweepMs,
  startFaults,
} from './faults.ts'
import { libp2pSettings } from './libp2p-settings.ts'
import { tracemeshInternal } from './service.ts'

leakCheck()

/** A started node on loopback TCP, and its spans. */
async function startNode(...faults: Fault[]) {
  const { spans, telemetry } = recordingTelemetry()
  const privateKey = await generateKeyPair('Ed25519')
  const { services: _, ...settings } = libp2pSettings({ privateKey, listen: [listenOn.tcp] })
  const mesh = tracemeshInternal({ telemetry, sweepMs: 200, neighbours: 0, closes: 'all', faults })
  const libp2p = await createLibp2p({ ...settings, services: { identify: identify(), tracemesh: mesh } })
  return {
    libp2p,
    spansNamed: (name: SpanName) => spans.filter(({ span }) => span === name),
    size: (name: string) =>
      libp2p.services.tracemesh.inventory().registries.find((registry) => registry.name === name)?.size ?? -1,
  }
}

type FaultyNode = Awaited<ReturnType<typeof startNode>>

/** Runs with two linked nodes with these faults. */
async function withLinkedNodes(
  faults: readonly Fault[],
  run: (one: FaultyNode, other: FaultyNode) => Promise<void>,
): Promise<void> {
  const [one, other] = [await startNode(...faults), await startNode(...faults)]
  try {
    await one.libp2p.dial(multiaddr(String(other.libp2p.getMultiaddrs()[0])))
    await until(() => one.spansNamed('mesh.hello.received').length > 0, 30_000, 'a link')
    await run(one, other)
  } finally {
    await Promise.all([one.libp2p.stop(), other.libp2p.stop()])
  }
}

describe('without a fault nothing changes', () => {
  test('network, clock, limits and sweep are the originals', () => {
    const network = fakeNetwork([])
    const others = (...mine: Fault[]) => faultNames.filter((fault) => !mine.includes(fault))
    assert.equal(faultyNetwork(network, others('keep-connections')), network)
    assert.equal(faultyClock(systemClock, others('skew-clock')), systemClock)
    assert.deepEqual(faultyLimits(others('lose-spans')), {})
    assert.equal(faultySweepMs(5_000, others('hold-sweep')), 5_000)
    assert.equal(faultyProbe(others('no-descriptors')), undefined)
  })

  test('no resources, no log lines', () => {
    const { parts, clock, owner, lines } = fakeParts()
    startFaults([], parts)
    clock.advance(600_000)
    assert.deepEqual([owner.inventory(), lines], [{ registries: [], resources: [] }, []])
  })

  test('a node sweeps, keeps one connection, and emits no fault', () =>
    withLinkedNodes([], async (one) => {
      await sleep(2_500)
      assert.ok(one.spansNamed('mesh.staleness.pruned').length > 0)
      assert.equal(one.libp2p.getConnections().length, 1)
      assert.deepEqual([one.size('requests'), one.spansNamed('mesh.clock.skewed').length], [0, 0])
      assert.deepEqual(settingsOf(one), [])
    }))
})

describe('an injected fault', () => {
  test('an unknown name throws MESH_CONFIG_INVALID', () => {
    assert.throws(
      () => tracemeshInternal({ faults: ['explode' as Fault] }),
      (error) =>
        isMeshError(error, 'MESH_CONFIG_INVALID') && /faults.*hold-sweep, keep-connections/.test(error.message),
    )
  })

  test('the span of the start and the log name it', async () => {
    const node = await startNode('hold-sweep')
    assert.deepEqual(settingsOf(node), ['fault hold-sweep'])
    await node.libp2p.stop()
    const { parts, lines } = fakeParts()
    startFaults(['hold-sweep'], parts)
    assert.match(lines.join(), /"level":"warn".*"faults":\["hold-sweep"\].*injected faults/)
  })

  test('hold-sweep: no span of a sweep', async () => {
    const node = await startNode('hold-sweep')
    await sleep(1_000)
    assert.equal(node.spansNamed('mesh.staleness.pruned').length, 0)
    await node.libp2p.stop()
  })

  test('keep-connections: more connections open than the bound of a pair, and the stop closes them', () =>
    withLinkedNodes(['keep-connections'], async (one, other) => {
      const open = () => one.libp2p.getConnections().length
      await until(() => open() > limits.linksPerPeer, 30_000, 'more connections than a pair may have')
      assert.equal(one.spansNamed('mesh.connection.closed').length, 0)
      assert.ok(one.spansNamed('mesh.connection.superseded').length > 0)
      assert.equal(one.spansNamed('mesh.connection.opened').length, limits.linksPerPeer)
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
    const [accurate, skewed] = [await startNode(), await startNode('skew-clock')]
    await accurate.libp2p.dial(multiaddr(String(skewed.libp2p.getMultiaddrs()[0])))
    await until(() => accurate.spansNamed('mesh.clock.skewed').length > 0, 30_000, 'skew')
    await Promise.all([accurate.libp2p.stop(), skewed.libp2p.stop()])
  })

  test('no-descriptors: the node emits that it has run out of descriptors', async () => {
    const node = await startNode('no-descriptors')
    assert.deepEqual(
      node.spansNamed('mesh.resource.exhausted').map(({ attributes }) => Object.values(attributes)),
      [['descriptors', 'EMFILE', 'open']],
    )
    await node.libp2p.stop()
  })

  test('hold-memory: it is resident, has a name in the inventory, and ends with the owner', async () => {
    const { parts, owner } = fakeParts()
    const mib = () => process.memoryUsage().rss / 1024 / 1024
    const before = mib()
    startFaults(['hold-memory'], parts)
    assert.ok(mib() - before > 200, `${mib() - before} MiB more`)
    assert.deepEqual(
      owner.inventory().resources.map(({ name }) => name),
      ['memory held by a fault'],
    )
    await owner.close()
    assert.deepEqual(owner.inventory().resources, [])
  })
})

function settingsOf(node: FaultyNode): unknown {
  return node
    .spansNamed('mesh.node.started')
    .flatMap(({ attributes }) => Object.entries(attributes))
    .find(([name]) => name === 'mesh.node.settings')?.[1]
}

function fakeNetwork(effects: NetworkEffect[]): Network {
  return {
    self: 'self',
    start: async () => {},
    stop: async () => {},
    snapshot: () => [],
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
