import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { identify } from '@libp2p/identify'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { leakCheck } from '../testing/leak-check.ts'
import { listenOn } from '../testing/real-world.ts'
import { until } from '../testing/until.ts'
import { type TracemeshInit, tracemesh } from './index.ts'
import { libp2pSettings } from './libp2p-settings.ts'

leakCheck()

/** Applications on loopback TCP, each with the mesh as one of its services; the mesh dials nobody by itself. */
async function withApps(inits: readonly TracemeshInit[], run: (one: App, other: App) => Promise<void>) {
  const apps = await Promise.all(inits.map(app))
  try {
    await Promise.all(apps.map(({ libp2p }) => libp2p.start()))
    await run(...(apps as [App, App]))
  } finally {
    await Promise.all(apps.map(({ libp2p }) => libp2p.stop()))
  }
}

type App = Awaited<ReturnType<typeof app>>

async function app(init: TracemeshInit) {
  const privateKey = await generateKeyPair('Ed25519')
  const { services: _, ...settings } = libp2pSettings({ privateKey, listen: [listenOn.tcp] })
  const services = { identify: identify(), tracemesh: tracemesh({ otlp: 'off', neighbours: 0, ...init }) }
  const libp2p = await createLibp2p({ ...settings, start: false, services })
  const links = () => libp2p.services.tracemesh.topology().peers.flatMap((peer) => peer.links)
  const dial = async (other: { libp2p: typeof libp2p }) =>
    void (await libp2p.dial(multiaddr(String(other.libp2p.getMultiaddrs()[0])), { force: true }))
  return { libp2p, links, dial, connections: () => libp2p.getConnections().length }
}

const drained = (one: App, other: App) => () =>
  [one, other].every((end) => end.links().length === 1 && end.links()[0]?.state === 'settled')

/** Longer than a loser is drained and closed. */
const lastingMs = 3_000

describe('connections that the application opened', () => {
  test('of two between a pair one is the link, and the other goes on without the mesh', () =>
    withApps([{}, {}], async (one, other) => {
      await Promise.all([one.dial(other), other.dial(one)])
      await until(drained(one, other), 8_000, 'one link on each end')
      assert.equal(one.links()[0]?.id, other.links()[0]?.id, 'the same link')
      await sleep(lastingMs)
      assert.deepEqual([one.connections(), other.connections()], [2, 2])
      assert.ok(drained(one, other)())
    }))

  test('the one that is not the link is closed where the mesh may close all', () =>
    withApps([{ closes: 'all' }, { closes: 'all' }], async (one, other) => {
      await Promise.all([one.dial(other), other.dial(one)])
      await until(() => drained(one, other)() && one.connections() === 1, 8_000, 'one connection')
      assert.equal(other.connections(), 1)
    }))

  test('to a member of another mesh it is no link, and goes on', () =>
    withApps([{ mesh: 'mesh-a' }, { mesh: 'mesh-b' }], async (one, other) => {
      await one.dial(other)
      await until(() => one.links().length === 0 && other.links().length === 0, 8_000, 'no link')
      await sleep(lastingMs)
      assert.deepEqual([one.links(), other.links(), one.connections(), other.connections()], [[], [], 1, 1])
    }))
})
