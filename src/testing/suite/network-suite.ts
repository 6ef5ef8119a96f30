import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  allFrames,
  connect,
  digestOf,
  type Recorder,
  type SuiteHarness,
  suiteMesh,
  until,
  withWorld,
} from './suite-steps.ts'

/** Contract tests for every implementation of `Network`, registered under `name`. */
export function networkSuite(name: string, harness: SuiteHarness): void {
  describe(`${name}: network suite`, () => {
    dialling(harness)
    streams(harness)
    closing(harness)
    gossip(harness)
    stopping(harness)
  })
}

function dialling(harness: SuiteHarness): void {
  test('a seed address without a peer id: the dial answers with the peer id', () =>
    withWorld(harness, 2, 0, async (world, [a, b]) => {
      a.network.perform({ do: 'dial.seed', seed: world.addresses[1] as string, limitMs: 5_000 })
      const answer = await a.wait('seed.answered')
      const address = world.addresses[1]
      assert.deepEqual(answer, { type: 'seed.answered', seed: address, peer: b.network.self, address })
    }))

  test('a seed address with its peer id: the dial succeeds', () =>
    withWorld(harness, 2, 0, async (world, [a, b]) => {
      const seed = `${world.addresses[1]}/p2p/${b.network.self}`
      a.network.perform({ do: 'dial.seed', seed, limitMs: 5_000 })
      const answer = { type: 'seed.answered', seed, peer: b.network.self, address: world.addresses[1] }
      assert.deepEqual(await a.wait('seed.answered'), answer)
    }))

  test('a seed address with another peer’s id: the dial fails and names the stage', () =>
    withWorld(harness, 3, 0, async (world, [a, , c]) => {
      const seed = `${world.addresses[1]}/p2p/${c.network.self}`
      a.network.perform({ do: 'dial.seed', seed, limitMs: 3_000 })
      const failed = await a.wait('seed.failed')
      assert.equal(failed.seed, seed)
      assert.ok(['dial', 'handshake', 'identify'].includes(failed.failure.stage))
      assert.equal(a.count('seed.answered'), 0)
    }))

  test('a seed address without a listener: the dial fails at stage dial, within its limit', () =>
    withWorld(harness, 1, 0, async (world, [a]) => {
      a.network.perform({ do: 'dial.seed', seed: world.deadAddress, limitMs: 1_500 })
      const failed = await a.wait('seed.failed', 2_500)
      assert.equal(failed.failure.stage, 'dial')
      assert.deepEqual(failed.failure.addresses, [world.deadAddress])
      assert.equal(failed.failure.address, world.deadAddress)
      assert.notEqual(failed.failure.errorType, '')
      assert.equal(a.count('seed.answered'), 0)
    }))

  test('a seed with an unknown DNS name: the dial fails at stage resolve, within its limit', () =>
    withWorld(harness, 1, 0, async (_world, [a]) => {
      const seed = '/dns4/nobody.invalid/udp/4001/quic-v1'
      a.network.perform({ do: 'dial.seed', seed, limitMs: 3_000 })
      const failed = await a.wait('seed.failed', 4_000)
      assert.deepEqual([failed.seed, failed.failure.stage], [seed, 'resolve'])
    }))

  test('three dials of one seed: each has exactly one answer', () =>
    withWorld(harness, 2, 0, async (world, [a]) => {
      const seed = world.addresses[1] as string
      for (let i = 0; i < 3; i++) {
        a.network.perform({ do: 'dial.seed', seed, limitMs: 2_000 })
        await until(world, () => a.count('seed.answered') === i + 1, 5_000)
      }
      await world.settle(500)
      assert.equal(a.count('seed.answered') + a.count('seed.failed'), 3)
      assert.equal(a.network.snapshot().length, 1, 'an outbound dial reuses the existing connection')
    }))

  test('a dial to a peer: reports success, or failure with its reason', () =>
    withWorld(harness, 3, 0, async (world, [a, b, c]) => {
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
    }))

  test('two crossed dials: both succeed, and both ends list the same connections', () =>
    withWorld(harness, 2, 0, async (world, [a, b]) => {
      a.network.perform({ do: 'dial.seed', seed: world.addresses[1] as string, limitMs: 5_000 })
      b.network.perform({ do: 'dial.seed', seed: world.addresses[0] as string, limitMs: 5_000 })
      await Promise.all([a.wait('seed.answered'), b.wait('seed.answered')])
      await world.settle(300)
      const outbound = (end: Recorder) => end.network.snapshot().filter((info) => info.direction === 'outbound').length
      const inbound = (end: Recorder) => end.network.snapshot().filter((info) => info.direction === 'inbound').length
      assert.equal(outbound(a), inbound(b))
      assert.equal(outbound(b), inbound(a))
      assert.ok(outbound(a) + inbound(a) >= 1)
    }))
}

function streams(harness: SuiteHarness): void {
  test('a link stream that the dialler opens: open on both ends', () =>
    withWorld(harness, 2, 0, async (world, [a, b]) => {
      const link = await connect(world, a, b)
      assert.equal(a.network.snapshot()[0]?.direction, 'outbound')
      assert.equal(b.network.snapshot()[0]?.direction, 'inbound')
      assert.equal(a.count('stream.open'), 1)
      assert.equal(b.count('stream.open'), 1)
      assert.equal(a.network.snapshot()[0]?.id, link.dialler)
      assert.equal(b.network.snapshot()[0]?.id, link.listener)
    }))

  test('a peer without the link protocol: its stream is absent, its connection stays open', () =>
    withWorld(harness, 1, 1, async (world, [a]) => {
      a.network.perform({ do: 'dial.seed', seed: world.guests[0] as string, limitMs: 5_000 })
      await a.wait('seed.answered')
      const connection = a.network.snapshot()[0]?.id as string
      a.network.perform({ do: 'open', connection })
      assert.deepEqual(await a.wait('stream.absent', 6_000), { type: 'stream.absent', connection })
      await world.settle(300)
      assert.equal(a.network.snapshot().length, 1)
      assert.equal(a.count('stream.open'), 0)
    }))

  test('every type of frame, both ways: arrives complete and in order', () =>
    withWorld(harness, 2, 0, async (world, [a, b]) => {
      const link = await connect(world, a, b)
      const fromA = allFrames(a.network.self)
      const fromB = allFrames(b.network.self).toReversed()
      for (const frame of fromA) a.network.perform({ do: 'send', connection: link.dialler, frame })
      for (const frame of fromB) b.network.perform({ do: 'send', connection: link.listener, frame })
      await until(world, () => b.frames().length >= fromA.length && a.frames().length >= fromB.length, 5_000)
      assert.deepEqual(b.frames(), fromA)
      assert.deepEqual(a.frames(), fromB)
      assert.ok(a.events('frame').every((event) => event.connection === link.dialler && event.wall > 0))
    }))

  test('150 frames at once: arrive in order', () =>
    withWorld(harness, 2, 0, async (world, [a, b]) => {
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
    }))
}

function closing(harness: SuiteHarness): void {
  test('a graceful close: delivers the frames sent before it, then closes both ends', () =>
    withWorld(harness, 2, 0, async (world, [a, b]) => {
      const link = await connect(world, a, b)
      const frames = allFrames(a.network.self)
      for (const frame of frames) a.network.perform({ do: 'send', connection: link.dialler, frame })
      a.network.perform({ do: 'close', connection: link.dialler, abort: false })
      await until(world, () => a.network.snapshot().length + b.network.snapshot().length === 0, 5_000)
      await world.settle(100)
      assert.deepEqual(b.frames(), frames)
    }))

  test('a graceful close by the listener: delivers its frames, then closes both ends', () =>
    withWorld(harness, 2, 0, async (world, [a, b]) => {
      const link = await connect(world, a, b)
      b.network.perform({ do: 'send', connection: link.listener, frame: { type: 'probe' } })
      b.network.perform({ do: 'close', connection: link.listener, abort: false })
      await until(world, () => a.network.snapshot().length + b.network.snapshot().length === 0, 5_000)
      await world.settle(100)
      assert.deepEqual(a.frames(), [{ type: 'probe' }])
    }))

  test('an abort: closes this end at once, the other end within 3 s', () =>
    withWorld(harness, 2, 0, async (world, [a, b]) => {
      const link = await connect(world, a, b)
      a.network.perform({ do: 'close', connection: link.dialler, abort: true })
      await until(world, () => a.network.snapshot().length === 0, 500)
      await until(world, () => b.network.snapshot().length === 0, 3_000)
    }))

  test('a connection opens and closes: both ends emit changed, and their snapshots are right', () =>
    withWorld(harness, 2, 0, async (world, [a, b]) => {
      assert.deepEqual(a.network.snapshot(), [])
      const link = await connect(world, a, b)
      for (const [end, other, id] of [
        [a, b, link.dialler],
        [b, a, link.listener],
      ] as const) {
        assert.ok(end.count('changed') >= 1)
        const [info] = end.network.snapshot()
        assert.equal(info?.id, id)
        assert.equal(info?.peer, other.network.self)
        assert.notEqual(info?.address, '')
      }
      a.clear()
      b.clear()
      a.network.perform({ do: 'close', connection: link.dialler, abort: false })
      await until(world, () => a.network.snapshot().length + b.network.snapshot().length === 0, 5_000)
      await until(world, () => a.count('changed') >= 1 && b.count('changed') >= 1, 1_000)
    }))

  test('effects on a closed or unknown connection: no event', () =>
    withWorld(harness, 2, 0, async (world, [a, b]) => {
      const link = await connect(world, a, b)
      a.network.perform({ do: 'close', connection: link.dialler, abort: true })
      await until(world, () => a.network.snapshot().length + b.network.snapshot().length === 0, 5_000)
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
      assert.equal(b.frames().length, 0)
      assert.equal(a.count('stream.open'), 0)
    }))
}

function gossip(harness: SuiteHarness): void {
  test('a digest over gossip: reaches the other nodes with its signer', () =>
    withWorld(harness, 3, 0, async (world, [a, b, c]) => {
      await connect(world, a, b)
      await connect(world, b, c)
      for (let sequence = 1; sequence <= 40 && b.count('gossip') * c.count('gossip') === 0; sequence++) {
        a.network.perform({ do: 'gossip', mesh: suiteMesh, digest: digestOf(a.network.self, sequence) })
        await world.settle(250)
      }
      for (const end of [b, c]) {
        const event = end.events('gossip')[0]
        assert.ok(event, 'delivered within 10 s')
        assert.equal(event.mesh, suiteMesh)
        assert.equal(event.from, a.network.self)
        assert.deepEqual(event.digest, digestOf(a.network.self, event.digest.sequence))
      }
      assert.equal(a.count('gossip'), 0, 'a node does not receive its own digest')
    }))

  test('two connected peers: gossip opens', () =>
    withWorld(harness, 2, 0, async (world, [a, b]) => {
      await connect(world, a, b)
      await until(world, () => [a, b].every((end) => end.network.snapshot()[0]?.gossip === 'open'), 5_000)
    }))
}

function stopping(harness: SuiteHarness): void {
  test('a stopped network: no event, ignores effects, stops twice', () =>
    withWorld(harness, 2, 0, async (world, [a, b]) => {
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
    }))

  test('a network that never started: stops', () =>
    withWorld(harness, 1, 0, async (_world, [a]) => a.network.stop(), { start: false }))
}
