import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { gossipsub } from '@chainsafe/libp2p-gossipsub'
import { identify } from '@libp2p/identify'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import type { Role } from '../../catalogue/roles.ts'
import type { AdmissionMode, GuestRule } from '../../core/credentials/admission-rules.ts'
import { until } from '../../processes/waiting.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { type App, areLinked, createApp, loopbackSettings } from '../../testing/suite/mesh-app.ts'
import { collectNative } from '../../testing/suite/real-world.ts'
import { digestTopic } from '../gossip/gossip-channel.ts'
import type { InternalInit } from '../init.ts'
import { encodeDigest } from '../wire.ts'
import { authorityOfSecret, secretBytes } from './authority.ts'
import { signCredential } from './credential-token.ts'
import { signRevocations } from './revocation-token.ts'
import type { Trust, TrustSource } from './trust.ts'

collectNative()
leakCheck()

const waitMs = 15_000
const mesh = 'mesh-a'

interface NodeOptions {
  readonly secret?: Uint8Array
  readonly mode?: AdmissionMode
  readonly guests?: GuestRule
  /** What the node asks for, and what its credential grants. */
  readonly role?: Role
  readonly granted?: readonly Role[]
  /** Milliseconds from now. */
  readonly notBefore?: number
  readonly expires?: number
  /** Shows a credential of this peer in place of its own. */
  readonly as?: string
  readonly bare?: boolean
  readonly init?: InternalInit
}

const secret = randomBytes(secretBytes)

/** An application in a closed mesh; its trust can be changed while it runs. */
async function startNode(options: NodeOptions = {}) {
  const { mode = 'enforce', guests = 'none', role = 'compute' } = options
  const state: { trust?: Trust; peer: string; reads: number } = { peer: '', reads: 0 }
  const source: TrustSource = {
    read: async () => {
      const trust = state.trust ?? (await trustOf(options, state.peer))
      state.reads++
      return trust
    },
  }
  const app = await createApp({ mesh, role, closes: 'all', admission: { mode, guests, source }, ...options.init })
  state.peer = app.mesh.peer
  await app.libp2p.start()
  return {
    ...app,
    /** Resolves when the node has read it. */
    change: async (trust: Trust) => {
      state.trust = trust
      const { reads } = state
      await until(() => state.reads > reads + 1, waitMs, 'the node reads its trust')
    },
    refusals: () =>
      app.spansNamed('mesh.admission.refused').map(({ attributes }) => attributes['mesh.admission.cause']),
    [Symbol.asyncDispose]: async () => app.libp2p.stop(),
  }
}

/** A libp2p with gossipsub and without the mesh. */
async function startGuest() {
  const libp2p = await createLibp2p({
    ...(await loopbackSettings()),
    services: { identify: identify(), pubsub: gossipsub() },
  })
  await libp2p.start()
  return Object.assign(libp2p, { [Symbol.asyncDispose]: async () => libp2p.stop() })
}

async function trustOf(options: NodeOptions, peer: string): Promise<Trust> {
  const { role = 'compute', notBefore = 0, expires = 3_600_000, as = peer } = options
  const authority = await authorityOfSecret(options.secret ?? secret, mesh)
  const now = Date.now()
  const times = { notBeforeMs: now + notBefore, expiresMs: now + expires, id: 'c-1' }
  const token = await signCredential({ peer: as, mesh, roles: options.granted ?? [role], ...times }, authority)
  return { authorities: [authority], own: options.bare === true ? [] : [token] }
}

/** What a member shows. */
const proofOf = async (peer: string) => ({ credentials: (await trustOf({}, peer)).own })

const linked = (one: App, other: App) => until(() => areLinked(one, other), waitMs, 'the link')

test('two nodes with one secret: linked, and gossip passes', async () => {
  await using one = await startNode()
  await using other = await startNode()
  const heard: string[] = []
  other.mesh.subscribe('news', ({ data }) => void heard.push(Buffer.from(data).toString()))
  await one.dial(other)
  await linked(one, other)
  const hears = async () => {
    await one.mesh.publish('news', Buffer.from('hello'))
    return heard.includes('hello')
  }
  await until(hears, waitMs, 'a message')
  const [granted] = other.spansNamed('mesh.admission.granted')
  assert.equal(granted?.attributes['mesh.admission.credential'], 'c-1')
  assert.deepEqual([one.refusals(), other.refusals()], [[], []])
})

const hourMs = 3_600_000
const strangers: Readonly<Record<string, NodeOptions & { readonly cause: string }>> = {
  'another secret': { secret: randomBytes(secretBytes), cause: 'unknown-authority' },
  'no credential': { bare: true, cause: 'missing' },
  'an expired credential': { notBefore: -9 * hourMs, expires: -3 * hourMs, cause: 'expired' },
  'a credential that is not valid yet': { notBefore: 3 * hourMs, expires: 9 * hourMs, cause: 'too-early' },
  'the credential of another peer': { as: '12D3KooWJF5drGoTkbtSE8oSQtJPyn2joAU2ESQujB2KouVbrYc5', cause: 'other-peer' },
  'a role that is not granted': { role: 'broker', granted: ['compute'], cause: 'role' },
}

for (const [what, { cause, ...options }] of Object.entries(strangers))
  test(`${what}: refused with the cause on the refuser’s span alone, in both directions`, async () => {
    await using node = await startNode()
    await using stranger = await startNode({ ...options, mode: 'permissive' })
    for (const [from, to] of [
      [stranger, node],
      [node, stranger],
    ] as const) {
      const before = node.spansNamed('mesh.connection.closed').length
      await from.dial(to).catch(() => {})
      await until(() => node.spansNamed('mesh.connection.closed').length > before, waitMs, 'the refusal')
    }
    assert.deepEqual(node.refusals(), [cause])
    assert.equal(node.spansNamed('mesh.member.joined').length, 0)
    assert.deepEqual(node.pubsub.getPeers(), [])
    const reasons = stranger
      .spansNamed('mesh.goodbye.received')
      .map(({ attributes }) => attributes['mesh.goodbye.reason'])
    assert.ok(reasons.every((reason) => reason === 'not-admitted'))
    await until(() => node.libp2p.getConnections().length === 0, waitMs, 'no connection')
  })

test('an application that closes only its own connections: that of a stranger closes, its own one to a stranger stays', async () => {
  await using node = await startNode({ init: { closes: 'own' } })
  await using stranger = await startNode({ bare: true, mode: 'permissive', init: { closes: 'own' } })
  await stranger.dial(node).catch(() => {})
  await until(() => node.refusals().length > 0, waitMs, 'the refusal')
  await until(() => node.libp2p.getConnections().length === 0, waitMs, 'no connection')
  await node.dial(stranger)
  await until(() => node.spansNamed('mesh.connection.closed').length === 2, waitMs, 'the second refusal')
  assert.equal(node.libp2p.getConnections().length, 1)
  assert.deepEqual(node.pubsub.getPeers(), [])
})

test('guests: a peer without the link protocol stays only where it may', async () => {
  const meet = async (guests: GuestRule) => {
    await using node = await startNode({ guests })
    await using guest = await startGuest()
    await guest.dial(multiaddr(String(node.libp2p.getMultiaddrs()[0])))
    const isDecided = () => node.spansNamed('mesh.connection.guest').length + node.refusals().length > 0
    await until(isDecided, waitMs, 'the decision')
    if (node.refusals().length > 0) await until(() => guest.getConnections().length === 0, waitMs, 'no connection')
    else await until(() => node.pubsub.getPeers().length === 1, waitMs, 'gossip')
    return node.refusals()
  }
  assert.deepEqual([await meet('none'), await meet('any')], [['missing'], []])
})

test('a guest that says over gossip that it is a member: not believed without a credential', async () => {
  await using node = await startNode({ guests: 'any' })
  await using guest = await startGuest()
  await guest.dial(multiaddr(String(node.libp2p.getMultiaddrs()[0])))
  await until(() => node.pubsub.getPeers().length === 1, waitMs, 'gossip')
  const peer = guest.peerId.toString()
  const { pubsub } = guest.services
  const topic = digestTopic(mesh)
  await until(() => pubsub.getSubscribers(topic).length === 1, waitMs, 'the subscription of the node')
  const about = { peer, name: 'intruder', role: 'compute', meshes: [mesh], intervalMs: 2_000 } as const
  const lists = { addresses: [], topics: [], links: [] }
  const digest = { ...about, ...lists, incarnation: 1, sequence: 1, sentAt: Date.now() }
  await pubsub.publish(topic, encodeDigest(digest))
  await until(() => (node.mesh.frames()?.gossipRefused ?? 0) > 0, waitMs, 'the refusal')
  const elsewhere = { ...digest, meshes: ['mesh-b'], sequence: 2 }
  await pubsub.publish(topic, encodeDigest(elsewhere))
  await until(() => (node.mesh.frames()?.gossipRefused ?? 0) > 1, waitMs, 'the refusal of a digest of another mesh')
  const { credentials } = await proofOf(peer)
  await pubsub.publish(topic, encodeDigest({ ...digest, sequence: 3, credentials }))
  await until(() => node.spansNamed('mesh.member.joined').length === 1, waitMs, 'the member')
})

test('permissive: peers without a credential join, and those with a wrong one do not', async () => {
  await using node = await startNode({ mode: 'permissive' })
  await using bare = await startNode({ mode: 'permissive', bare: true })
  await using wrong = await startNode({ mode: 'permissive', secret: randomBytes(secretBytes) })
  await bare.dial(node)
  await linked(bare, node)
  await wrong.dial(node).catch(() => {})
  await until(() => node.refusals().length > 0, waitMs, 'the refusal')
  assert.deepEqual(node.refusals(), ['unknown-authority'])
})

test('a secret that is exchanged, add, swap, remove: no link ends', async () => {
  const young = randomBytes(secretBytes)
  await using one = await startNode()
  await using other = await startNode()
  await one.dial(other)
  await linked(one, other)
  const both = async (app: App, signer: Uint8Array): Promise<Trust> => {
    const [first, second] = await Promise.all([secret, young].map((it) => trustOf({ secret: it }, app.mesh.peer)))
    const { own } = await trustOf({ secret: signer }, app.mesh.peer)
    return { authorities: [...(first?.authorities ?? []), ...(second?.authorities ?? [])], own }
  }
  const changeBoth = (trust: (app: App) => Promise<Trust>) =>
    Promise.all([one, other].map(async (app) => app.change(await trust(app))))
  await changeBoth((app) => both(app, secret))
  await changeBoth((app) => both(app, young))
  const hasSeen = (app: App) => (app.mesh.frames()?.frames.credentials.in ?? 0) > 0
  await until(() => hasSeen(one) && hasSeen(other), waitMs, 'new credentials')
  await changeBoth((app) => trustOf({ secret: young }, app.mesh.peer))
  const closed = () => one.spansNamed('mesh.connection.closed').length
  await until(() => one.mesh.peers === 1, waitMs, 'the link')
  assert.equal(closed(), 0)
  assert.equal(areLinked(one, other), true)
})

test('a revoked credential: its link ends within seconds, and it joins no more', async () => {
  await using one = await startNode()
  await using other = await startNode()
  await one.dial(other)
  await linked(one, other)
  const authority = await authorityOfSecret(secret, mesh)
  const expiresMs = Date.now() + 3_600_000
  const list = { authority: authority.id, number: 1, revoked: new Map([['c-1', expiresMs]]) }
  const trust = await trustOf({}, one.mesh.peer)
  await one.change({ ...trust, revocations: await signRevocations(list, authority) })
  await until(() => !areLinked(one, other), waitMs, 'the end of the link')
  assert.deepEqual(one.refusals(), ['revoked'])
  const before = one.spansNamed('mesh.connection.closed').length
  await other.dial(one).catch(() => {})
  await until(() => one.spansNamed('mesh.connection.closed').length > before, waitMs, 'the second refusal')
  assert.equal(areLinked(one, other), false)
})

test('an authority that counts no longer: the links that it has admitted end', async () => {
  await using one = await startNode()
  await using other = await startNode()
  await one.dial(other)
  await linked(one, other)
  const trust = await trustOf({ secret: randomBytes(secretBytes) }, one.mesh.peer)
  await one.change(trust)
  await until(() => !areLinked(one, other), waitMs, 'the end of the link')
  assert.deepEqual(one.refusals(), ['unknown-authority'])
})
