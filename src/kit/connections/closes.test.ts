import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Connection, Libp2pEvents, TypedEventTarget } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import { until } from '../../processes/waiting.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { createApp } from '../../testing/suite/mesh-app.ts'
import type { InternalInit } from '../init.ts'

leakCheck()

/** Applications on loopback TCP, each with the mesh as one of its services; the mesh dials no peer by itself. */
async function withApps(inits: readonly [InternalInit, InternalInit], run: (one: App, other: App) => Promise<void>) {
  await using one = await app(inits[0])
  await using other = await app(inits[1])
  await Promise.all([one.libp2p.start(), other.libp2p.start()])
  await run(one, other)
}

type App = Awaited<ReturnType<typeof app>>

async function app(init: InternalInit, afterStart: (components: Components) => void = () => {}) {
  /** A service of the application that starts together with the mesh. */
  const afterMesh = (components: Components) => ({ start() {}, afterStart: () => afterStart(components), stop() {} })
  const created = await createApp({ neighbours: 0, ...init }, { gossip: false, services: { afterMesh } })
  const { libp2p, mesh } = created
  const links = () => mesh.topology().peers.flatMap((peer) => peer.links)
  await libp2p.handle(chat, () => {})
  const opened: Connection[] = []
  const closed: Connection[] = []
  libp2p.addEventListener('connection:open', ({ detail }) => opened.push(detail))
  libp2p.addEventListener('connection:close', ({ detail }) => closed.push(detail))
  return { ...created, links, opened, closed, connections: () => libp2p.getConnections().length }
}

const chat = '/chat/1.0.0'

interface Components {
  readonly events: TypedEventTarget<Libp2pEvents>
  readonly connectionManager: { openConnection(address: Multiaddr): Promise<Connection> }
}

/** The mesh of `one` dials `other`, which listens already. */
async function withSeed(
  inits: readonly [InternalInit, InternalInit],
  run: (one: App, other: App) => Promise<void>,
  afterStart: (components: Components, other: Multiaddr) => void = () => {},
) {
  await using other = await app(inits[1])
  await other.libp2p.start()
  const [address] = other.libp2p.getMultiaddrs()
  assert.ok(address)
  const init = { ...inits[0], seeds: [String(address)] }
  await using one = await app(init, (components) => afterStart(components, address))
  await one.libp2p.start()
  await run(one, other)
}

const haveOneLink = (one: App, other: App) => () =>
  [one, other].every((end) => end.links().length === 1 && end.links()[0]?.state === 'settled')

/** Longer than the mesh takes to drain and close a superseded link. */
const lastingMs = 3_000

describe('connections that the application opened', () => {
  test('two between a pair: one carries the link, and the other stays open without the mesh', () =>
    withApps([{}, {}], async (one, other) => {
      await Promise.all([one.dial(other), other.dial(one)])
      await until(haveOneLink(one, other), 30_000, 'one link on each end')
      assert.equal(one.links()[0]?.id, other.links()[0]?.id, 'the same link')
      await sleep(lastingMs)
      assert.deepEqual([one.connections(), other.connections()], [2, 2])
      assert.ok(haveOneLink(one, other)())
    }))

  test('two between a pair, `closes: all`: the mesh closes the one without the link', () =>
    withApps([{ closes: 'all' }, { closes: 'all' }], async (one, other) => {
      await Promise.all([one.dial(other), other.dial(one)])
      await until(() => haveOneLink(one, other)() && one.connections() === 1, 30_000, 'one connection')
      assert.equal(other.connections(), 1)
    }))

  test('one to a member of another mesh: no link, and it stays open', () =>
    withApps([{ mesh: 'mesh-a' }, { mesh: 'mesh-b' }], async (one, other) => {
      await one.dial(other)
      await until(() => one.links().length === 0 && other.links().length === 0, 30_000, 'no link')
      await sleep(lastingMs)
      assert.deepEqual([one.links(), other.links(), one.connections(), other.connections()], [[], [], 1, 1])
    }))

  test('a second one beside a link: it carries the next link when the first ends, without a new dial', () =>
    withSeed([{}, {}], async (one, other) => {
      await until(haveOneLink(one, other), 30_000, 'a link')
      await one.dial(other)
      await sleep(200)
      const first = one.links()[0]?.connection
      assert.deepEqual([one.links().length, first], [1, one.opened[0]?.id])
      await one.opened[0]?.close()
      await until(
        () => haveOneLink(one, other)() && one.links()[0]?.connection !== first,
        30_000,
        'a link on the other',
      )
      assert.deepEqual([one.connections(), other.connections(), one.opened.length], [1, 1, 2])
    }))
})

describe('a dial of the mesh', () => {
  const beside = {
    'just before': (dial: () => void) => dial(),
    'at the same time': (dial: () => void) => queueMicrotask(dial),
  }
  for (const [when, afterStart] of Object.entries(beside)) {
    test(`yields to the application that dials the same peer ${when}`, () =>
      withSeed(
        [{}, {}],
        async (one, other) => {
          await until(haveOneLink(one, other), 30_000, 'a link')
          await sleep(200)
          const counts = [one, other].map(({ opened, closed }) => [opened.length, closed.length])
          assert.deepEqual(counts, [
            [1, 0],
            [1, 0],
          ])
        },
        ({ connectionManager }, address) => afterStart(() => connectionManager.openConnection(address).catch(() => {})),
      ))
  }

  test('a connection without a link that the application uses stays open', () =>
    withSeed(
      [{ mesh: 'mesh-a' }, { mesh: 'mesh-b' }],
      async (one, other) => {
        await until(() => one.opened.length === 1 && one.links().length === 0, 30_000, 'no link')
        await sleep(500)
        assert.deepEqual([one.opened.length, one.closed, other.closed], [1, [], []])
      },
      ({ events }) =>
        events.addEventListener('connection:open', ({ detail }) => void detail.newStream(chat).catch(() => {})),
    ))

  test('a connection without a link that the application does not use is closed', () =>
    withSeed([{ mesh: 'mesh-a' }, { mesh: 'mesh-b' }], async (one) => {
      await until(() => one.closed.length > 0, 30_000, 'a close')
    }))
})
