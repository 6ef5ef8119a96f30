import { generateKeyPair } from '@libp2p/crypto/keys'
import type { Connection, PeerId } from '@libp2p/interface'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { Owner } from '../../core/owner.ts'
import type { TracemeshComponents } from '../../kit/components.ts'
import { type GossipInternals, gossipInternals } from '../../kit/gossip/gossip-internals.ts'
import type { RunningNode } from '../../node/node.ts'
import { makeGarbage } from '../garbage.ts'
import { type Plant, retain } from '../plant.ts'
import { replaceMethod } from './replace-method.ts'

/** Protocols of the application, which each node of the zoo handles: of this one it closes no stream, */
export const blobProtocol = '/blobs/1.0.0'
/** and each of this one. */
export const pingProtocol = '/pings/1.0.0'

/** Leaks in the tables of libp2p and gossipsub. */
export const libp2pPlants = {
  /** Streams of one protocol that nobody closes. */
  streams: {
    tick: async (node) => retain(await firstConnection(node).newStream(blobProtocol)),
  },
  /** The same, too slow to reach a limit within minutes. */
  'streams-slow': {
    join: async (node) => {
      for (let i = 0; i < 2; i++) retain(await firstConnection(node).newStream(blobProtocol))
    },
  },
  /** Closed streams that something still reaches, with what they had read. */
  'closed-streams': {
    tick: async (node) => {
      makeGarbage()
      const stream = await firstConnection(node).newStream(pingProtocol)
      stream.abort(new Error('done'))
      retain({ stream, read: readParts() })
    },
  },
  /** Ever more dials of addresses that do not answer. */
  'creeping-dials': {
    tick: ({ libp2p }, count) => {
      const most = Math.min(maxDials, count / 3)
      for (let i = 0; i < most; i++) libp2p.dial(multiaddr(`/ip4/127.9.1.${i}/tcp/9`)).catch(() => {})
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
    patch: (_, isIll) => holdGossipSweep(isIll),
    tick: restorePeers,
  },
  /** The same, with a buffer for each. */
  'phantom-buffers': {
    patch: (_, isIll) => holdGossipSweep(isIll),
    leave: () => retain(Buffer.alloc(phantomBytes, 1)),
    tick: restorePeers,
  },
  /** The outbound stream of a departed peer stays in gossipsub. */
  'outbound-streams': {
    patch: (_, isIll) => holdGossipSweep(isIll),
    tick: (node) => {
      const table = gossipOf(node).streamsOutbound
      for (const entry of table) if (!outbound.some(([peer]) => peer === entry[0])) outbound.push(entry)
      const gone = outbound.filter(([peer]) => !table.has(peer))
      for (const [peer, stream] of gone) table.set(peer, stream)
      return gone.length > 0
    },
  },
  /** Topics without a subscriber stay in gossipsub's table of topics. */
  'empty-topics': {
    patch: (_, isIll) => holdGossipSweep(isIll),
    tick: (node, count) => void gossipOf(node).topics.set(`gone-${count}`, new Set<string>() as never),
  },
} as const satisfies Readonly<Record<string, Plant>>

type Gossip = GossipInternals
const phantomBytes = 1_048_576
const gossipSweepMs = 3_000
/** Hosts that refuse a dial in a tick: fewer than the dials that a node may run at once. */
const maxDials = 190
const known: [string, PeerId][] = []
const outbound: [string, Parameters<Gossip['streamsOutbound']['set']>[1]][] = []

function readParts(): object {
  return Array.from({ length: 2_400 }, (_, part) => ({ part, at: performance.now() }))
}

/** @throws Error without one */
function firstConnection({ libp2p }: RunningNode): Connection {
  const [connection] = libp2p.getConnections()
  if (connection === undefined) throw new Error('no connection')
  return connection
}

function restorePeers(node: RunningNode): boolean {
  const table = gossipOf(node).peers
  for (const entry of table) if (!known.some(([peer]) => peer === entry[0])) known.push(entry)
  const gone = known.filter(([peer]) => !table.has(peer))
  for (const [peer, id] of gone) table.set(peer, id)
  return gone.length > 0
}

/** As if the kit did not repair gossipsub's tables. */
function holdGossipSweep(isIll: () => boolean): void {
  replaceMethod(
    Owner.prototype,
    'every',
    (original) =>
      function (this: Owner, ms, run) {
        return original.call(this, ms, () => {
          if (ms !== gossipSweepMs || !isIll()) run()
        })
      },
  )
}

/** @throws Error when this version of gossipsub has other tables */
export function gossipOf({ libp2p }: RunningNode): Gossip {
  const gossip = gossipInternals(libp2p.services.pubsub as never)
  if (gossip === undefined) throw new Error('unknown tables of gossipsub')
  return gossip
}

/** Components that libp2p gives its services. */
export function componentsOf(libp2p: object): Pick<TracemeshComponents, 'events' | 'transportManager'> {
  return (libp2p as { components: TracemeshComponents }).components
}
