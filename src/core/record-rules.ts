/** A record of libp2p's peer store, as far as its fate depends on it. */
export interface RecordFacts {
  readonly isConnected: boolean
  /** libp2p is dialling the peer. */
  readonly isDialled: boolean
  /** The application has tagged it. */
  readonly isTagged: boolean
  /** Milliseconds since it was last connected, or its record last changed. */
  readonly idleMs: number
  /** The routing table of the DHT names it. */
  readonly isInTable: boolean
  /** A member that others have heard of lately. */
  readonly isMember: boolean
}

/** `probe`: the peer stays if it answers. */
export type RecordVerdict = 'keep' | 'probe' | 'remove'

/**
 * What a sweep does with a record. A connected peer keeps it: without it libp2p tells no topology of the disconnect, and
 * gossipsub counts the peer for ever. The DHT answers with the addresses in these records, so a peer of its table keeps
 * them while it lives.
 */
export function judgeRecord(facts: RecordFacts, graceMs: number): RecordVerdict {
  if (facts.isConnected || facts.isDialled || facts.isTagged || facts.idleMs < graceMs) return 'keep'
  if (!facts.isInTable) return 'remove'
  return facts.isMember ? 'keep' : 'probe'
}
