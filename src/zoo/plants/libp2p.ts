import { generateKeyPair } from '@libp2p/crypto/keys'
import type { PeerId } from '@libp2p/interface'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { Owner } from '../../core/owner.ts'
import type { TracemeshComponents } from '../../kit/components.ts'
import { type GossipInternals, gossipInternals } from '../../kit/gossip/gossip-internals.ts'
import type { RunningNode } from '../../node/node.ts'
import { type Plant, retain } from '../plant.ts'
import { replaceMethod } from './replace-method.ts'

/** A protocol of the application, which each node of the zoo handles. */
export const blobProtocol = '/blobs/1.0.0'

/** Leaks in the tables of libp2p and gossipsub. */
export const libp2pPlants = {
  /** Streams of one protocol that nobody closes. */
  streams: {
    tick: async ({ libp2p }) => {
      for (const connection of libp2p.getConnections().slice(0, 1)) retain(await connection.newStream(blobProtocol))
    },
  },
  /** The same, too slow to reach a limit within minutes. */
  'streams-slow': {
    join: async ({ libp2p }) => {
      for (const connection of libp2p.getConnections().slice(0, 1)) retain(await connection.newStream(blobProtocol))
    },
  },
  /** Closed streams that something still reaches, with what they had read. */
  'closed-streams': {
    tick: async ({ libp2p }) => {
      for (const connection of libp2p.getConnections().slice(0, 1)) {
        const stream = await connection.newStream(blobProtocol)
        await stream.close()
        retain({ stream, read: Array.from({ length: 600 }, (_, part) => ({ part, at: performance.now() })) })
      }
    },
  },
  /** Ever more dials of addresses that do not answer. */
  'creeping-dials': {
    tick: ({ libp2p }, count) => {
      for (let i = 0; i < count / 8; i++) libp2p.dial(multiaddr(`/ip4/127.0.0.1/tcp/${1 + (i % 64)}`)).catch(() => {})
    },
  },
  /** Topics that the application subscribes to in gossipsub itself, and forgets. */
  topics: { tick: ({ libp2p }, count) => libp2p.services.pubsub.subscribe(`room-${count}`) },
  /** Records of peers that nobody will ever dial, with a tag that keeps them. */
  peerstore: {
    tick: async ({ libp2p }) => {
      const peer = peerIdFromPrivateKey(await generateKeyPair('Ed25519'))
      await libp2p.peerStore.merge(peer, {
        multiaddrs: [multiaddr('/ip4/127.0.0.1/tcp/1')],
        tags: { 'keep-alive-peer': { value: 1 } },
      })
    },
  },
  /** Phantom peers in gossipsub: a departed peer comes back into its table. */
  'phantom-peers': {
    patch: holdGossipSweep,
    tick: restorePeers,
  },
  /** The same, with a buffer for each. */
  'phantom-buffers': {
    patch: holdGossipSweep,
    leave: () => retain(Buffer.alloc(phantomBytes, 1)),
    tick: restorePeers,
  },
  /** The outbound stream of a departed peer stays in gossipsub. */
  'outbound-streams': {
    patch: holdGossipSweep,
    tick: (node) => {
      const table = gossipOf(node)?.streamsOutbound
      if (table === undefined) return
      for (const entry of table) if (!outbound.some(([peer]) => peer === entry[0])) outbound.push(entry)
      for (const [peer, stream] of outbound) if (!table.has(peer)) table.set(peer, stream)
    },
  },
  /** Topics without a subscriber stay in gossipsub's table of topics. */
  'empty-topics': {
    tick: (node, count) => void gossipOf(node)?.topics.set(`gone-${count}`, new Set<string>() as never),
  },
} as const satisfies Readonly<Record<string, Plant>>

type Gossip = GossipInternals
const phantomBytes = 1_048_576
const gossipSweepMs = 3_000
const known: [string, PeerId][] = []
const outbound: [string, Parameters<Gossip['streamsOutbound']['set']>[1]][] = []

function restorePeers(node: RunningNode): void {
  const table = gossipOf(node)?.peers
  if (table === undefined) return
  for (const entry of table) if (!known.some(([peer]) => peer === entry[0])) known.push(entry)
  for (const [peer, id] of known) if (!table.has(peer)) table.set(peer, id)
}

/** As if the kit did not repair gossipsub's tables. */
function holdGossipSweep(isOn: () => boolean): void {
  replaceMethod(
    Owner.prototype,
    'every',
    (original) =>
      function (this: Owner, ms, run) {
        return original.call(this, ms, () => {
          if (ms !== gossipSweepMs || !isOn()) run()
        })
      },
  )
}

export function gossipOf({ libp2p }: RunningNode): Gossip | undefined {
  return gossipInternals(libp2p.services.pubsub as never)
}

/** Components that libp2p gives its services. */
export function componentsOf(libp2p: object): Pick<TracemeshComponents, 'events' | 'transportManager'> {
  return (libp2p as { components: TracemeshComponents }).components
}
