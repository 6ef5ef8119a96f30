import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { gossipsub } from '@chainsafe/libp2p-gossipsub'
import { RPC } from '@chainsafe/libp2p-gossipsub/message'
import { identify } from '@libp2p/identify'
import type { Libp2p, Stream } from '@libp2p/interface'
import { createLibp2p } from 'libp2p'
import { until } from '../../processes/waiting.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { type App, loopbackSettings, startApp } from '../../testing/suite/mesh-app.ts'
import { type GossipInternals, gossipInternals } from './gossip-internals.ts'
import { findGhosts, mostTopics } from './gossip-tables.ts'

leakCheck()

const topic = 'own'
const protocol = '/meshsub/1.2.0'
const limitMs = 30_000
/** More than the 4 MiB that gossipsub reads. */
const oversizedBytes = 5 * 1024 * 1024

let node: App
let honest: Awaited<ReturnType<typeof startHonest>>
let gossip: GossipInternals

/** A peer that speaks gossipsub's protocol without gossipsub, to send what that would not. */
async function startAttacker() {
  const libp2p = await createLibp2p({ ...(await loopbackSettings()), start: true, services: { identify: identify() } })
  await libp2p.handle(protocol, () => {})
  const connection = await libp2p.dial(node.libp2p.getMultiaddrs())
  const stream = await connection.newStream(protocol)
  return { libp2p, connection, stream, id: libp2p.peerId.toString(), [Symbol.asyncDispose]: async () => libp2p.stop() }
}

async function startHonest() {
  const settings = await loopbackSettings()
  const pubsub = gossipsub({ allowPublishToZeroTopicPeers: true })
  return createLibp2p({ ...settings, start: true, services: { identify: identify(), pubsub } })
}

function send(stream: Stream, rpc: Partial<Parameters<typeof RPC.encode>[0]>): void {
  const bytes = RPC.encode({ subscriptions: [], messages: [], ...rpc })
  const length: number[] = []
  for (let rest = bytes.length; ; rest >>>= 7) {
    if (rest < 0x80) {
      stream.send(Buffer.concat([Uint8Array.of(...length, rest), bytes]))
      return
    }
    length.push((rest & 0x7f) | 0x80)
  }
}

const control = { ihave: [], iwant: [], graft: [], prune: [], idontwant: [] }
const subscribe = (...topics: string[]) => topics.map((one) => ({ topic: one, subscribe: true }))
const limitsOf = (peer: string) =>
  node
    .spansNamed('mesh.limit.reached')
    .flatMap(({ attributes }) => (attributes['mesh.peer.id'] === peer ? [attributes['mesh.limit.name']] : []))

/** Runs an attack while the honest peer publishes; all its messages arrive. */
async function whileHonestPublishes(attack: () => Promise<void>): Promise<void> {
  const received = new Set<string>()
  const onMessage = ({ detail }: { detail: { data: Uint8Array } }) => received.add(Buffer.from(detail.data).toString())
  node.pubsub.addEventListener('message', onMessage as never)
  const publish = async (count: number, name: string) => {
    for (let index = 0; index < count; index++)
      await honest.services.pubsub.publish(topic, Buffer.from(`${name} ${index}`))
  }
  await publish(10, 'before')
  await Promise.all([attack(), publish(10, 'during')])
  await publish(10, 'after')
  await until(() => received.size >= 30, limitMs, 'the messages of the honest peer')
  node.pubsub.removeEventListener('message', onMessage as never)
}

describe('a peer that attacks gossipsub, beside an honest one whose messages all arrive', () => {
  before(async () => {
    node = await startApp()
    gossip = gossipInternals(node.pubsub) as GossipInternals
    node.pubsub.subscribe(topic)
    honest = await startHonest()
    honest.services.pubsub.subscribe(topic)
    await honest.dial(node.libp2p.getMultiaddrs())
    const reach = (libp2p: Libp2p) => gossip.mesh.get(topic)?.has(libp2p.peerId.toString()) === true
    await until(() => reach(honest) && honest.services.pubsub.getSubscribers(topic).length > 0, limitMs, 'the mesh')
  })

  after(async () => {
    await honest?.stop()
    await node?.libp2p.stop()
  })

  test('thousands of topics: a bounded number counts, and a span names the peer', () =>
    whileHonestPublishes(async () => {
      await using attacker = await startAttacker()
      for (let part = 0; part < 10; part++)
        send(attacker.stream, { subscriptions: subscribe(...Array.from({ length: 500 }, (_, i) => `${part} ${i}`)) })
      await until(() => limitsOf(attacker.id).includes('peerTopicBytes'), limitMs, 'the span')
      const most = mostTopics(gossip)
      assert.equal(most?.peer, attacker.id)
      assert.ok(most.topics <= 1_024, String(most.topics))
    }))

  test('PRUNE with a backoff of years: the backoff ends within an hour, and a span names the peer', () =>
    whileHonestPublishes(async () => {
      await using attacker = await startAttacker()
      const prune = ['unknown', topic].map((topicID) => ({ topicID, peers: [], backoff: 1_000_000_000 }))
      send(attacker.stream, { subscriptions: subscribe(topic), control: { ...control, prune } })
      await until(() => limitsOf(attacker.id).includes('pruneBackoff'), limitMs, 'the span')
      const end = gossip.backoff.get(topic)?.get(attacker.id) ?? 0
      assert.ok(end > Date.now() + 3_000_000 && end < Date.now() + 3_700_000, String(end - Date.now()))
    }))

  test('an RPC larger than gossipsub reads: only its own stream ends', () =>
    whileHonestPublishes(async () => {
      await using attacker = await startAttacker()
      await until(() => gossip.streamsInbound.has(attacker.id), limitMs, 'its stream')
      attacker.stream.send(Uint8Array.of(0x80, 0x80, 0xc0, 0x02))
      for (let sent = 0; sent < oversizedBytes && attacker.stream.status === 'open'; sent += 65_536)
        if (!attacker.stream.send(new Uint8Array(65_536))) break
      await until(() => !gossip.streamsInbound.has(attacker.id), limitMs, 'the end of its stream')
      assert.ok(gossip.streamsInbound.has(honest.peerId.toString()))
    }))

  test('peers that subscribe, graft and leave at once: gossipsub soon lists none of them', () =>
    whileHonestPublishes(async () => {
      for (let index = 0; index < 10; index++) {
        await using attacker = await startAttacker()
        const graft = [{ topicID: topic }]
        send(attacker.stream, { subscriptions: subscribe(topic), control: { ...control, graft } })
        attacker.connection.abort(new Error('the attacker leaves'))
      }
      const connected = () => new Set(node.libp2p.getConnections().map(({ remotePeer }) => remotePeer.toString()))
      await until(() => findGhosts(gossip, connected()).size === 0, limitMs, 'no ghosts')
    }))
})
