import type { GossipsubOpts, Message } from '@chainsafe/libp2p-gossipsub'
import { limits } from '../../core/limits.ts'

/**
 * Gossipsub's options without its cache. The cache is a class, so its type differs between versions of the package, and
 * an application brings its own gossipsub.
 */
export type GossipSettings = Partial<Omit<GossipsubOpts, 'messageCache'>>

type FastMessage = Parameters<NonNullable<GossipsubOpts['fastMsgIdFn']>>[0]

/**
 * Bytes from which a node sends IDONTWANT for a message. IDONTWANT to four peers costs about 4 x 0.4 ms of CPU on both
 * ends; the three copies that it saves cost as much only if each is of a dozen packets. The library's default of 512
 * bytes is less than a digest: with it IDONTWANT was half of all traffic. Derived from measured costs per packet.
 */
const idontwantMinBytes = 16_384
/** An answer to IWANT of the size that go accepts, and as much again in the queue. */
export const outboundBufferBytes = 2 * 1_048_576

/**
 * Gossipsub's options for a mesh node, where the library's defaults were measured to fail. `override` wins.
 *
 * - Message id: sender and sequence number, as in the specification and in go. With the library's default, IHAVE and
 *   IWANT fail between implementations, and js then lowers the score of healthy peers.
 * - `fastMsgIdFn`: gossipsub drops a duplicate before it verifies the signature; otherwise it verifies every copy.
 * - Degree 4 (3-8) instead of 6 (4-12): members keep about eight links, and a degree near that sends everything to
 *   every peer. Duplicates are most of the cost of a message; after the loss of a neighbour its messages arrive by
 *   IHAVE within a heartbeat. Not 3, which costs least: go's nodes want 6, and a node with too few keeps pruning them.
 * - `floodPublish` off: with a bounded view gossipsub’s mesh is most of the peers, and digests need no head start.
 * - Scores: no penalty for a shared IP address. Nodes behind one NAT share one, and from the twelfth on a seed outside
 *   ignored their gossip (the library's threshold is ten). Gossipsub keeps the scores of peers that left for a minute,
 *   not for an hour, to save memory; the sweep moves their penalties into the grudges before (`gossip-health.ts`).
 * - `tagMeshPeers` off: the tags protect the peers of gossipsub’s mesh from libp2p's pruner, at a peer store write per
 *   graft, but the ledger decides which links stay.
 * - Buffers: 2 MiB for a peer that does not read, and no more until it reads (`gossip-streams.ts`); the library's
 *   default is unbounded.
 * - Topics: as many as a bridge may have; the library's 1 MiB per peer is as much again.
 * - Inbound messages up to the library's default of 4 MiB; gossipsub forwards them to the neighbours that accept them.
 */
export function gossipSettings(override: GossipSettings = {}): GossipSettings {
  return {
    msgIdFn: messageId,
    fastMsgIdFn: fastMessageId,
    D: 4,
    Dlo: 3,
    Dhi: 8,
    Dscore: 2,
    Dout: 1,
    Dlazy: 3,
    heartbeatInterval: 1_000,
    floodPublish: false,
    batchPublish: true,
    fallbackToFloodsub: false,
    doPX: false,
    allowPublishToZeroTopicPeers: true,
    emitSelf: false,
    tagMeshPeers: false,
    idontwantMinDataSize: idontwantMinBytes,
    maxOutboundBufferSize: outboundBufferBytes,
    maxTopicBytesPerPeer: limits.peerTopicBytes,
    scoreParams: { IPColocationFactorWeight: 0, retainScore: 60_000 },
    ...override,
  }
}

/** Bytes of the sender's peer id, then its sequence number in eight bytes, big-endian. */
export function messageId(message: Message): Uint8Array {
  if (message.type !== 'signed') return message.data
  const from = message.from.toMultihash().bytes
  const id = new Uint8Array(from.length + 8)
  id.set(from)
  new DataView(id.buffer).setBigUint64(from.length, message.sequenceNumber)
  return id
}

/** The same two fields as on the wire, unverified: a duplicate is a duplicate from any sender. */
export function fastMessageId({ from, seqno }: FastMessage): string {
  const bytes = new Uint8Array((from?.length ?? 0) + (seqno?.length ?? 0))
  bytes.set(from ?? [])
  bytes.set(seqno ?? [], from?.length ?? 0)
  return Buffer.from(bytes.buffer).toString('latin1')
}
