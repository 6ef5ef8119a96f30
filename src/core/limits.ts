/**
 * Every bound of a node, in one place. None may be zero or infinite. "Guess" marks those that no measurement or
 * specification stands behind yet.
 */
export const limits = {
  /** Connected peers that the ledger holds: libp2p's own default for `maxConnections`. */
  peers: 300,
  /** Links of one peer at once: two crossed dials, their successors, one spare. */
  linksPerPeer: 6,
  /** Peers connected through relays alone; further ones are not listed. Guess. */
  relayedPeers: 64,
  /** Members known to the digest view, departed ones that are still remembered included. Guess. */
  members: 4_096,
  /** Peer ids and topics that one digest may name; both bound the frame. Guess. */
  digestLinks: 64,
  digestTopics: 64,
  digestAddresses: 16,
  /** Identity conflicts that one digest names. Guess. */
  digestConflicts: 4,
  /** Bytes of one frame's payload on the link stream. A full digest stays below 8 KiB. */
  frameBytes: 16_384,
  /** Bytes that may wait on a link stream for a peer that does not read: many digests' worth. Guess. */
  linkOutBytes: 131_072,
  /** Dials under way at once: every seed, and as many peers. */
  dials: 64,
  /** Frames of one link within one second before it is closed for flooding. Guess. */
  framesPerSecond: 200,
  /** Payload of one published message: rust-libp2p accepts 64 KiB per RPC, envelope included. */
  messageBytes: 60_000,
  /** Messages the bridge relay remembers as seen. */
  relaySeen: 8_192,
  /** Crossings that wait for their seals to be checked, and the bytes of those. Guess. */
  crossingsWaiting: 1_024,
  crossingsWaitingBytes: 8 * 1024 * 1024,
  /** Messages that wait to be there for a peer whom gossipsub cannot reach yet. Guess. */
  publishesWaiting: 256,
  /** Messages that wait for another bridge to act. Guess. */
  relayWaiting: 1_024,
  /** Bytes of those, since each may be as long as `messageBytes`. Guess. */
  relayWaitingBytes: 8 * 1024 * 1024,
  /** Last messages kept: for people, and to know a crossing again that two bridges carried. Guess. */
  messageRing: 1_024,
  /** Seeds of one node. */
  seeds: 32,
  /** Subscribed topics of the application. */
  topics: 256,
  /** Registries, timers, resources and owners that one owner may hold at once. Guess. */
  held: 4_096,
  /** Events that wait for the driver; what comes on top is refused and told. A snapshot makes up for missed hints. */
  inbox: 4_096,
  /** Spans and bytes held while the receiver is away. */
  spans: 20_000,
  spanBytes: 24 * 1024 * 1024,
  /** Names that a peer may choose, in characters. */
  nameLength: 64,
} as const
