import assert from 'node:assert/strict'
import { test } from 'node:test'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import type { SpanEffect } from '../catalogue/span-effect.ts'
import { libp2pSettings } from '../kit/libp2p-settings.ts'
import { withoutPeer } from '../kit/multiaddrs.ts'
import { until } from '../processes/waiting.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { startDhtPeer } from '../testing/suite/dht-peer.ts'
import { parseConfig } from './config.ts'
import { type RunningNode, startNode } from './node.ts'

leakCheck()

const listen = '/ip4/127.0.0.1/tcp/0'
const env = { MESH_OTLP: 'off', MESH_LOG_LEVEL: 'silent', MESH_ADMIN: 'off', MESH_LISTEN: listen }
/** The grace period is half of it. */
const sweepMs = 1_000

interface Swept {
  readonly removed: number
  readonly after: number
  readonly errors: number
}

/** Runs a test beside a node with a short interval between sweeps; `sweeps` grows with each of them. */
async function withNode(
  further: Record<string, string>,
  run: (node: RunningNode, address: string, sweeps: readonly Swept[]) => Promise<void>,
): Promise<void> {
  const node = await startNode(parseConfig({ ...env, ...further }), { peerStoreSweepMs: sweepMs })
  const sweeps: Swept[] = []
  const { emit } = node.telemetry
  const record = (span: SpanEffect) => {
    if (span.span !== 'mesh.peerstore.swept') return
    const { attributes } = span
    sweeps.push({
      removed: attributes['mesh.peerstore.removed'],
      after: attributes['mesh.peerstore.after'],
      errors: attributes['mesh.peerstore.errors'],
    })
  }
  Object.assign(node.telemetry, {
    emit: (...args: Parameters<typeof emit>) => {
      record(args[0])
      return emit(...args)
    },
  })
  try {
    await run(node, node.addresses[0] ?? '', sweeps)
  } finally {
    await node.stop('SIGTERM')
  }
}

const waitForSweeps = (sweeps: readonly Swept[], count: number) => {
  const from = sweeps.length
  return until(() => sweeps.length >= from + count, 30_000, `${count} sweeps`)
}

/** A plain peer with a new identity, and its connection to `address`. */
async function connect(address: string) {
  const { services, ...settings } = libp2pSettings({ privateKey: await generateKeyPair('Ed25519'), listen: [listen] })
  const libp2p = await createLibp2p({ ...settings, services })
  await libp2p.dial(multiaddr(address))
  return libp2p
}

test('200 identities that come and go: the peer store is back to the connected peers, which keep their records', () =>
  withNode({}, async (node, address, sweeps) => {
    const staying = await connect(address)
    const leave = async () => {
      const libp2p = await connect(address)
      const isKnown = () => node.mesh.topology().peers.some(({ peer }) => peer === libp2p.peerId.toString())
      await until(isKnown, 10_000, 'the node knows the peer')
      await libp2p.stop()
    }
    for (let i = 0; i < 20; i++) await Promise.all(Array.from({ length: 10 }, leave))
    await waitForSweeps(sweeps, 2)
    await until(async () => (await node.mesh.status()).connected === 1, 30_000, 'only one is left')
    await until(() => sweeps.at(-1)?.after === 1, 30_000, 'only its record is left')
    assert.ok(sweeps.reduce((sum, { removed }) => sum + removed, 0) >= 195)
    assert.equal(
      sweeps.reduce((sum, { errors }) => sum + errors, 0),
      0,
    )
    assert.equal((await node.mesh.status()).peerStore, 1)
    await staying.stop()
    await until(() => sweeps.at(-1)?.after === 0, 30_000, 'nothing is left')
  }))

test('a seed’s DHT, after two sweeps past the grace of two peers: a living one is still found, a dead one is not', () =>
  withNode({ MESH_ROLE: 'seed' }, async (seed, address, sweeps) => {
    await using finder = await startDhtPeer({ clientMode: true })
    await using alive = await startDhtPeer()
    const dead = await startDhtPeer()
    await finder.dial(address)
    for (const peer of [alive, dead]) {
      await peer.dial(address)
      await until(async () => (await finder.find(peer.peer)).length > 0, 15_000, 'the seed knows the peer')
    }
    await dead.libp2p.stop()
    await alive.libp2p.hangUp(multiaddr(address))
    for (const sweepCount of [3, 2]) {
      await waitForSweeps(sweeps, sweepCount)
      const found = await finder.askServer(seed.peer, alive.peer)
      assert.deepEqual([...new Set(found)], alive.libp2p.getMultiaddrs().map(withoutPeer))
      assert.deepEqual(await finder.askServer(seed.peer, dead.peer), [])
    }
  }))
