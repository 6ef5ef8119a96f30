import assert from 'node:assert/strict'
import { describe } from 'node:test'
import {
  allFrames,
  connect,
  digestOf,
  type Recorder,
  type SuiteHarness,
  type SuiteWorld,
  suiteMesh,
  until,
  type WorldTest,
  worldTestOf,
} from './suite-steps.ts'

/** Contract tests for every implementation of `Network`, registered under `name`. */
export function networkSuite(name: string, harness: SuiteHarness): void {
  describe(`${name}: network suite`, () => {
    const worldTest = worldTestOf(harness)
    dialling(worldTest)
    streams(worldTest)
    closing(worldTest)
    gossip(worldTest)
    stopping(worldTest)
  })
}

function dialling(worldTest: WorldTest): void {
  for (const [which, suffixOf] of [
    ['without a peer id', () => ''],
    ['with its peer id', (peer: string) => `/p2p/${peer}`],
  ] as const)
    worldTest(`a seed address ${which}: the dial answers with the peer id`, 2, async (world, [a, b]) => {
      const address = world.addresses[1]
      const seed = `${address}${suffixOf(b.network.self)}`
      a.network.perform({ do: 'dial.seed', seed, limitMs: 5_000 })
      assert.deepEqual(await a.wait('seed.answered'), { type: 'seed.answered', seed, peer: b.network.self, address })
    })

  worldTest('a seed with another peer’s id: the dial fails and names the stage', 3, async (world, [a, , c]) => {
    const seed = `${world.addresses[1]}/p2p/${c.network.self}`
    a.network.perform({ do: 'dial.seed', seed, limitMs: 3_000 })
    const failed = await a.wait('seed.failed')
    assert.equal(failed.seed, seed)
    assert.ok(['dial', 'handshake', 'identify'].includes(failed.failure.stage))
    assert.equal(a.count('seed.answered'), 0)
  })

  worldTest('a seed without a listener: the dial fails at stage dial in time', 1, async (world, [a]) => {
    a.network.perform({ do: 'dial.seed', seed: world.deadAddress, limitMs: 1_500 })
    const failed = await a.wait('seed.failed', 2_500)
    const { stage, address, addresses, errorType } = failed.failure
    assert.deepEqual([stage, address, addresses], ['dial', world.deadAddress, [world.deadAddress]])
    assert.notEqual(errorType, '')
    assert.equal(a.count('seed.answered'), 0)
  })

  worldTest('a seed with an unknown DNS name: the dial fails at stage resolve', 1, async (_world, [a]) => {
    const seed = '/dns4/nobody.invalid/udp/4001/quic-v1'
    a.network.perform({ do: 'dial.seed', seed, limitMs: 3_000 })
    const failed = await a.wait('seed.failed', 4_000)
    assert.deepEqual([failed.seed, failed.failure.stage], [seed, 'resolve'])
  })

  worldTest('three dials of one seed: each has exactly one answer', 2, async (world, [a]) => {
    const seed = world.addresses[1] as string
    for (let i = 0; i < 3; i++) {
      a.network.perform({ do: 'dial.seed', seed, limitMs: 2_000 })
      await until(world, () => a.count('seed.answered') === i + 1, 5_000)
    }
    await world.settle(500)
    assert.equal(a.count('seed.answered') + a.count('seed.failed'), 3)
    assert.equal(a.network.snapshot().length, 1, 'an outbound dial reuses the existing connection')
  })

  worldTest('a dial to a peer: reports success, or failure with its reason', 3, async (world, [a, b, c]) => {
    a.network.perform({
      do: 'dial.peer',
      peer: b.network.self,
      addresses: [world.addresses[1] as string],
      limitMs: 5_000,
    })
    assert.deepEqual(await a.wait('peer.dialled'), { type: 'peer.dialled', peer: b.network.self, ok: true })
    a.clear()
    a.network.perform({ do: 'dial.peer', peer: c.network.self, addresses: [world.deadAddress], limitMs: 1_000 })
    const failed = await a.wait('peer.dialled', 2_500)
    assert.ok(!failed.ok && failed.peer === c.network.self)
    const { addresses, address = '', stage, errorType } = failed.failure
    assert.equal(stage, 'dial')
    assert.notEqual(errorType, '')
    assert.ok(address.startsWith(world.deadAddress) && addresses.includes(address), address)
  })

  worldTest('two crossed dials: both succeed, both ends list the same connections', 2, async (world, [a, b]) => {
    a.network.perform({ do: 'dial.seed', seed: world.addresses[1] as string, limitMs: 5_000 })
    b.network.perform({ do: 'dial.seed', seed: world.addresses[0] as string, limitMs: 5_000 })
    await Promise.all([a.wait('seed.answered'), b.wait('seed.answered')])
    await world.settle(300)
    const count = (end: Recorder, direction: 'outbound' | 'inbound') =>
      end.network.snapshot().filter((info) => info.direction === direction).length
    assert.deepEqual([count(a, 'outbound'), count(a, 'inbound')], [count(b, 'inbound'), count(b, 'outbound')])
    assert.ok(a.network.snapshot().length >= 1)
  })
}

function streams(worldTest: WorldTest): void {
  worldTest('a link stream that the dialler opens: open on both ends', 2, async (world, [a, b]) => {
    const link = await connect(world, a, b)
    const stateOf = (end: Recorder) => {
      const [info] = end.network.snapshot()
      return [info?.id, info?.direction, end.count('stream.open')]
    }
    assert.deepEqual(stateOf(a), [link.dialler, 'outbound', 1])
    assert.deepEqual(stateOf(b), [link.listener, 'inbound', 1])
  })

  worldTest(
    'a guest: its stream is absent, its connection stays open',
    1,
    async (world, [a]) => {
      a.network.perform({ do: 'dial.seed', seed: world.guests[0] as string, limitMs: 5_000 })
      await a.wait('seed.answered')
      const connection = a.network.snapshot()[0]?.id as string
      a.network.perform({ do: 'open', connection })
      assert.deepEqual(await a.wait('stream.absent', 6_000), { type: 'stream.absent', connection })
      await world.settle(300)
      assert.equal(a.network.snapshot().length, 1)
      assert.equal(a.count('stream.open'), 0)
    },
    { guests: 1 },
  )

  worldTest('every type of frame, both ways: arrives complete and in order', 2, async (world, [a, b]) => {
    const link = await connect(world, a, b)
    const fromA = allFrames(a.network.self)
    const fromB = allFrames(b.network.self).toReversed()
    for (const frame of fromA) a.network.perform({ do: 'send', connection: link.dialler, frame })
    for (const frame of fromB) b.network.perform({ do: 'send', connection: link.listener, frame })
    await until(world, () => b.frames().length >= fromA.length && a.frames().length >= fromB.length, 5_000)
    assert.deepEqual(b.frames(), fromA)
    assert.deepEqual(a.frames(), fromB)
    assert.ok(a.events('frame').every((event) => event.connection === link.dialler && event.wall > 0))
  })

  worldTest('150 frames at once: arrive in order', 2, async (world, [a, b]) => {
    const link = await connect(world, a, b)
    for (let sequence = 1; sequence <= 150; sequence++) {
      const frame = { type: 'unchanged', incarnation: 1, sequence } as const
      a.network.perform({ do: 'send', connection: link.dialler, frame })
    }
    await until(world, () => b.frames().length >= 150, 5_000)
    assert.deepEqual(
      b.frames().map((frame) => (frame.type === 'unchanged' ? frame.sequence : frame.type)),
      Array.from({ length: 150 }, (_, index) => index + 1),
    )
  })
}

function closing(worldTest: WorldTest): void {
  for (const closer of ['dialler', 'listener'] as const)
    worldTest(`a graceful close by the ${closer}: delivers its frames, closes both ends`, 2, async (world, [a, b]) => {
      const link = await connect(world, a, b)
      const [from, to] = closer === 'dialler' ? [a, b] : [b, a]
      const frames = allFrames(from.network.self)
      for (const frame of frames) from.network.perform({ do: 'send', connection: link[closer], frame })
      from.network.perform({ do: 'close', connection: link[closer], abort: false })
      await untilClosed(world, a, b)
      await world.settle(100)
      assert.deepEqual(to.frames(), frames)
    })

  worldTest('an abort: closes this end at once, the other end within 3 s', 2, async (world, [a, b]) => {
    const link = await connect(world, a, b)
    a.network.perform({ do: 'close', connection: link.dialler, abort: true })
    await until(world, () => a.network.snapshot().length === 0, 500)
    await until(world, () => b.network.snapshot().length === 0, 3_000)
  })

  worldTest('a connection opens and closes: both ends emit changed and list it', 2, async (world, [a, b]) => {
    assert.deepEqual(a.network.snapshot(), [])
    const link = await connect(world, a, b)
    for (const [end, other, id] of [
      [a, b, link.dialler],
      [b, a, link.listener],
    ] as const) {
      assert.ok(end.count('changed') >= 1)
      const [info] = end.network.snapshot()
      assert.deepEqual([info?.id, info?.peer], [id, other.network.self])
      assert.notEqual(info?.address, '')
    }
    a.clear()
    b.clear()
    a.network.perform({ do: 'close', connection: link.dialler, abort: false })
    await untilClosed(world, a, b)
    await until(world, () => a.count('changed') >= 1 && b.count('changed') >= 1, 1_000)
  })

  worldTest('effects on a closed or unknown connection: no event', 2, async (world, [a, b]) => {
    const link = await connect(world, a, b)
    a.network.perform({ do: 'close', connection: link.dialler, abort: true })
    await untilClosed(world, a, b)
    a.clear()
    b.clear()
    for (const connection of [link.dialler, 'never-was']) {
      a.network.perform({ do: 'send', connection, frame: { type: 'probe' } })
      a.network.perform({ do: 'open', connection })
      a.network.perform({ do: 'heal', lack: 'missing', connection })
      a.network.perform({ do: 'close', connection, abort: false })
      a.network.perform({ do: 'close', connection, abort: true })
    }
    await world.settle(300)
    assert.deepEqual([b.frames(), a.count('stream.open')], [[], 0])
  })
}

/** Waits until neither end lists a connection. */
async function untilClosed(world: SuiteWorld, a: Recorder, b: Recorder): Promise<void> {
  await until(world, () => a.network.snapshot().length + b.network.snapshot().length === 0, 5_000)
}

function gossip(worldTest: WorldTest): void {
  worldTest('a digest over gossip: reaches the other nodes with its signer', 3, async (world, [a, b, c]) => {
    await connect(world, a, b)
    await connect(world, b, c)
    for (let sequence = 1; sequence <= 40 && b.count('gossip') * c.count('gossip') === 0; sequence++) {
      a.network.perform({ do: 'gossip', mesh: suiteMesh, digest: digestOf(a.network.self, sequence) })
      await world.settle(250)
    }
    for (const end of [b, c]) {
      const event = end.events('gossip')[0]
      assert.ok(event, 'delivered within 10 s')
      const { self } = a.network
      const { mesh, from, digest } = event
      assert.deepEqual([mesh, from, digest], [suiteMesh, self, digestOf(self, digest.sequence)])
    }
    assert.equal(a.count('gossip'), 0, 'a node does not receive its own digest')
  })

  worldTest('two connected peers: gossip opens', 2, async (world, [a, b]) => {
    await connect(world, a, b)
    await until(world, () => [a, b].every((end) => end.network.snapshot()[0]?.gossip === 'open'), 5_000)
  })
}

function stopping(worldTest: WorldTest): void {
  worldTest('a stopped network: no event, ignores effects, stops twice', 2, async (world, [a, b]) => {
    const link = await connect(world, a, b)
    await a.network.stop()
    await a.network.stop()
    a.clear()
    b.network.perform({ do: 'send', connection: link.listener, frame: { type: 'probe' } })
    a.network.perform({ do: 'send', connection: link.dialler, frame: { type: 'probe' } })
    a.network.perform({ do: 'dial.seed', seed: world.addresses[1] as string, limitMs: 1_000 })
    a.network.perform({ do: 'close', connection: link.dialler, abort: false })
    a.network.perform({ do: 'gossip', mesh: suiteMesh, digest: digestOf(a.network.self, 1) })
    await world.settle(1_500)
    assert.deepEqual(a.all(), [])
  })

  worldTest('a network that never started: stops', 1, (_world, [a]) => a.network.stop(), { isStarted: false })
}
