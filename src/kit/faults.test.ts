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
import { createLogger } from '../telemetry/logger.ts'
import { startTelemetry } from '../telemetry/telemetry.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { listenOn } from '../testing/real-world.ts'
import { recordingTelemetry } from '../testing/recording-telemetry.ts'
import { until } from '../testing/until.ts'
import { VirtualClock } from '../testing/virtual-clock.ts'
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
import { tracemesh } from './index.ts'
import { libp2pSettings } from './libp2p-settings.ts'

leakCheck()

/** A node on loopback TCP, started, and what it tells. */
async function started(...faults: Fault[]) {
  const { spans, telemetry } = recordingTelemetry()
  const privateKey = await generateKeyPair('Ed25519')
  const { services: _, ...settings } = libp2pSettings({ privateKey, listen: [listenOn.tcp] })
  const mesh = tracemesh({ telemetry, sweepMs: 200, neighbours: 0, closes: 'all', faults })
  const libp2p = await createLibp2p({ ...settings, services: { identify: identify(), tracemesh: mesh } })
  return {
    libp2p,
    told: (name: SpanName) => spans.filter(({ span }) => span === name),
    size: (name: string) =>
      libp2p.services.tracemesh.inventory().registries.find((registry) => registry.name === name)?.size ?? -1,
  }
}

type Started = Awaited<ReturnType<typeof started>>

/** Runs with two linked nodes that both have these faults. */
async function linked(faults: readonly Fault[], run: (one: Started, other: Started) => Promise<void>): Promise<void> {
  const [one, other] = [await started(...faults), await started(...faults)]
  try {
    await one.libp2p.dial(multiaddr(String(other.libp2p.getMultiaddrs()[0])))
    await until(() => one.told('mesh.hello.received').length > 0, 8_000, 'a link')
    await run(one, other)
  } finally {
    await Promise.all([one.libp2p.stop(), other.libp2p.stop()])
  }
}

describe('without a fault nothing is changed', () => {
  test('the network, the clock, the limits and the sweep are the very same', () => {
    const network = fakeNetwork([])
    const others = (...mine: Fault[]) => faultNames.filter((fault) => !mine.includes(fault))
    assert.equal(faultyNetwork(network, others('keep-connections')), network)
    assert.equal(faultyClock(systemClock, others('skew-clock')), systemClock)
    assert.deepEqual(faultyLimits(others('lose-spans')), {})
    assert.equal(faultySweepMs(5_000, others('hold-sweep')), 5_000)
    assert.equal(faultyProbe(others('no-descriptors')), undefined)
  })

  test('nothing is started, held or logged', () => {
    const { parts, clock, owner, lines } = fakeParts()
    startFaults([], parts)
    clock.advance(600_000)
    assert.deepEqual([owner.inventory(), lines], [{ registries: [], resources: [] }, []])
  })

  test('a node sweeps, keeps one connection, and tells no fault', () =>
    linked([], async (one) => {
      await sleep(2_500)
      assert.ok(one.told('mesh.staleness.pruned').length > 0)
      assert.equal(one.libp2p.getConnections().length, 1)
      assert.deepEqual([one.size('requests'), one.told('mesh.clock.skewed').length], [0, 0])
      assert.deepEqual(settingsOf(one), [])
    }))
})

describe('a fault', () => {
  test('is none that has no name', () => {
    assert.throws(
      () => tracemesh({ faults: ['explode' as Fault] }),
      (error) =>
        isMeshError(error, 'MESH_CONFIG_INVALID') && /faults.*hold-sweep, keep-connections/.test(error.message),
    )
  })

  test('is told in the span of the start, and in the log', async () => {
    const node = await started('hold-sweep')
    assert.deepEqual(settingsOf(node), ['fault hold-sweep'])
    await node.libp2p.stop()
    const { parts, lines } = fakeParts()
    startFaults(['hold-sweep'], parts)
    assert.match(lines.join(), /"level":"warn".*"faults":\["hold-sweep"\].*injected faults/)
  })

  test('hold-sweep: no sweep is ever told', async () => {
    const node = await started('hold-sweep')
    await sleep(1_000)
    assert.equal(node.told('mesh.staleness.pruned').length, 0)
    await node.libp2p.stop()
  })

  test('keep-connections: more and more are open, those beyond the bound of a pair with no owner, and the stop ends them', () =>
    linked(['keep-connections'], async (one, other) => {
      const open = () => one.libp2p.getConnections().length
      await until(() => open() > limits.linksPerPeer, 20_000, 'more than one pair may have')
      assert.equal(one.told('mesh.connection.closed').length, 0)
      assert.ok(one.told('mesh.connection.superseded').length > 0)
      assert.equal(one.told('mesh.connection.opened').length, limits.linksPerPeer)
      await until(() => other.libp2p.getConnections().length > limits.linksPerPeer, 8_000, 'there as well')
    }))

  test('keep-connections: only closes are held back', () => {
    const done: NetworkEffect[] = []
    const network = faultyNetwork(fakeNetwork(done), ['keep-connections'])
    network.perform({ do: 'close', connection: 'c', abort: true })
    network.perform({ do: 'open', connection: 'c' })
    assert.deepEqual(done, [{ do: 'open', connection: 'c' }])
  })

  test('grow-registry: it grows over minutes and over hours, and never meets its bound', async () => {
    const { parts, clock, owner } = fakeParts()
    startFaults(['grow-registry'], parts)
    const census = () => owner.inventory().registries[0]
    const sizes = [60_000, 3_600_000, 3_600_000].map((ms) => {
      clock.advance(ms)
      return census()?.size
    })
    assert.deepEqual(sizes, [31, 1_831, 3_631])
    clock.advance(24 * 3_600_000)
    const { size = 0, capacity = 0, owner: whose } = census() ?? {}
    assert.ok(size < capacity, `${size} of ${capacity}`)
    assert.deepEqual([clock.pending, whose], [0, 't/fault'])
    await owner.close()
    assert.deepEqual(owner.inventory().registries, [])
  })

  test('lose-spans: what comes at once is too much', async () => {
    const exporter = { export: (_: unknown, done: (result: { code: number }) => void) => done({ code: 0 }) }
    const resource = { meshId: 'm', nodeName: 'n', role: 'compute', incarnation: 1, peer: 'p', version: '1' } as const
    const lostOf = async (...faults: Fault[]) => {
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
    assert.deepEqual([await lostOf('lose-spans'), await lostOf()], [10, 0])
  })

  test('skew-clock: others see a clock that is ahead at its first digest', async () => {
    const [right, wrong] = [await started(), await started('skew-clock')]
    await right.libp2p.dial(multiaddr(String(wrong.libp2p.getMultiaddrs()[0])))
    await until(() => right.told('mesh.clock.skewed').length > 0, 8_000, 'skew')
    await Promise.all([right.libp2p.stop(), wrong.libp2p.stop()])
  })

  test('no-descriptors: the node says that it has run out of them', async () => {
    const node = await started('no-descriptors')
    assert.deepEqual(
      node.told('mesh.resource.exhausted').map(({ attributes }) => Object.values(attributes)),
      [['descriptors', 'EMFILE', 'open']],
    )
    await node.libp2p.stop()
  })

  test('hold-memory: it is resident, has a name in the inventory, and goes with the owner', async () => {
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

function settingsOf(node: Started): unknown {
  return node
    .told('mesh.node.started')
    .flatMap(({ attributes }) => Object.entries(attributes))
    .find(([name]) => name === 'mesh.node.settings')?.[1]
}

function fakeNetwork(done: NetworkEffect[]): Network {
  return {
    self: 'self',
    start: async () => {},
    stop: async () => {},
    snapshot: () => [],
    perform: (effect) => void done.push(effect),
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
