import type { GossipsubOpts, Message } from '@chainsafe/libp2p-gossipsub'

/**
 * Gossipsub's options but for its own cache, a class: by that no two versions of the package are of one type, and an
 * application has a gossipsub of its own.
 */
export type GossipSettings = Partial<Omit<GossipsubOpts, 'messageCache'>>

type FastMessage = Parameters<NonNullable<GossipsubOpts['fastMsgIdFn']>>[0]

/**
 * Bytes from which a message's mesh is told that no more copies are wanted. To tell four peers costs about 4 x 0.4 ms of
 * CPU on both ends; three copies that it saves cost that only when each is of a dozen packets. The library's default of
 * 512 bytes is less than a digest: there telling was half of all that was sent. Derived from measured costs per packet.
 */
const idontwantMinBytes = 16_384
/** An answer to IWANT of the size that go takes, and as much again that waits already. */
const outboundBufferBytes = 2 * 1_048_576

/**
 * Gossipsub's options for a mesh node, where the library's defaults were measured to fail. `override` wins.
 *
 * - Message id: sender and sequence number, as the specification has it and go does. The library's default makes
 *   IHAVE and IWANT between implementations void, and js then punishes healthy peers for it.
 * - `fastMsgIdFn`: a duplicate is known before its signature is checked; without it every copy is verified.
 * - Degree 4 (3-8) instead of 6 (4-12): members keep about eight links, and a degree near that sends everything to
 *   everybody. Duplicates are most of what a message costs; what is lost with a neighbour comes by IHAVE within a
 *   heartbeat. Not 3, which costs least: go's nodes want 6, and one that keeps too few prunes them over and over.
 * - `floodPublish` off: with a bounded view the mesh is most of the peers, and digests need no head start.
 * - Scores: sharing an IP address is no offence. Nodes behind one NAT have one, and from the twelfth on a seed outside
 *   ignored what they gossip (the library's threshold is ten). Scores of peers that left are kept for a minute, not for
 *   an hour: they are memory.
 * - `tagMeshPeers` off: the tags keep libp2p's pruner from peers in the mesh, at a peer store write per graft; which
 *   links stay is the ledger's to say.
 * - Buffers: 2 MiB towards a peer that does not read, and no more is sent to it until it does (`gossip-streams.ts`);
 *   the default is no bound at all.
 * - What arrives is taken up to the library's default of 4 MiB, and passed on to those neighbours that take it.
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

/** The same two fields as they are on the wire, not checked yet: known again is known, whoever sends it. */
export function fastMessageId({ from, seqno }: FastMessage): string {
  const bytes = new Uint8Array((from?.length ?? 0) + (seqno?.length ?? 0))
  bytes.set(from ?? [])
  bytes.set(seqno ?? [], from?.length ?? 0)
  return Buffer.from(bytes.buffer).toString('latin1')
}
