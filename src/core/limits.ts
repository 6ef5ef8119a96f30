/** One limit of a node, with the reason of its default. "Guess" marks a default without a measurement or a source. */
interface LimitSpec {
  readonly value: number
  /** What it bounds, and why at this value. */
  readonly reason: string
  /** Option that sets it; without one it is fixed. */
  readonly setting?: string
}

/**
 * All limits of a node. None may be zero or infinite. `npm run generate` lists them in `docs/configuration.md`.
 */
export const limitTable = {
  peers: {
    value: 300,
    setting: 'connectionsHigh',
    reason: 'Connected peers in the ledger: libp2p’s default for `maxConnections`.',
  },
  peersLow: {
    value: 240,
    setting: 'connectionsLow',
    reason:
      'Connected peers above which the node closes guests: four fifths of `peers`, so that members find a place. Guess.',
  },
  connections: {
    value: 400,
    setting: 'connectionsHigh',
    reason:
      'Connections and running dials, both directions: 100 more than `peers`, for pairs with two links and for goodbyes.',
  },
  pendingInbound: {
    value: 200,
    setting: 'connectionsHigh',
    reason:
      'Inbound connections before the end of their handshakes: half of `connections`, so that slow handshakes leave the other half.',
  },
  pendingOutbound: {
    value: 200,
    setting: 'connectionsHigh',
    reason: 'Running dials: half of `connections`, like the inbound ones.',
  },
  linksPerPeer: { value: 6, reason: 'Connections of one peer: two crossed dials, their successors, one spare.' },
  connectionsPerAddress: {
    value: 64,
    setting: 'connectionsPerAddress',
    reason:
      'Connections of one IPv4 address or one IPv6 /56, both directions, loopback excepted: a fifth of `peers`, so that one host cannot fill the node. Providers give a site a /56 (RIPE-690), and go-libp2p counts by it.',
  },
  inboundRate: {
    value: 100,
    setting: 'inboundRate',
    reason:
      'Inbound connections per second of one address: libp2p’s default of 5 loses peers when a cluster boots behind one address. Guess.',
  },
  streamsPerPeer: {
    value: 256,
    setting: 'streamsPerPeer',
    reason: 'Streams of one peer over all its connections, both directions: as many as one QUIC connection may open.',
  },
  streamsPerProtocol: {
    value: 32,
    setting: 'streamsPerProtocol',
    reason:
      'Streams of one protocol on one connection, per direction, unless its handler has a limit: libp2p’s default for inbound ones. Its default of 64 for outbound ones is more than the other end accepts.',
  },
  bufferedBytes: {
    value: 64 * 1024 * 1024,
    setting: 'bufferedBytes',
    reason:
      'Bytes in the buffers of all streams, at most a sixteenth of the memory: 16 messages of 4 MiB, gossipsub’s largest.',
  },
  heapPercent: {
    value: 85,
    setting: 'heapPercent',
    reason:
      'Share of V8’s heap limit in use above which the node accepts no connection: below it a collection of the old generation still has room. Guess.',
  },
  refused: { value: 1_024, reason: 'Refused connections that have not closed yet; libp2p limits them, too. Guess.' },
  relayedPeers: { value: 64, reason: 'Peers connected through relays only; the ledger does not list more. Guess.' },
  members: { value: 4_096, reason: 'Members in the view, departed ones that are still retained included. Guess.' },
  digestLinks: { value: 64, reason: 'Peer ids per digest: limits the size of the frame. Guess.' },
  digestTopics: { value: 64, reason: 'Topics per digest: limits the size of the frame. Guess.' },
  digestAddresses: { value: 16, reason: 'Addresses per digest: limits the size of the frame. Guess.' },
  digestConflicts: { value: 4, reason: 'Identity conflicts per digest. Guess.' },
  frameBytes: {
    value: 16_384,
    reason: 'Bytes of one frame’s payload on the link stream: a full digest stays below 8 KiB.',
  },
  linkOutBytes: {
    value: 131_072,
    reason: 'Bytes queued on a link stream for a peer that does not read: many digests. Guess.',
  },
  disconnected: { value: 1_024, reason: 'Peers that disconnected since the last sweep of the peer store. Guess.' },
  dials: { value: 64, reason: 'Concurrent dials of the mesh: every seed, and as many peers.' },
  framesPerSecond: {
    value: 200,
    reason: 'Frames per second on one link before the node closes it for flooding. Guess.',
  },
  messageBytes: {
    value: 60_000,
    setting: 'messageBytes',
    reason: 'Payload of one published message: rust-libp2p accepts 64 KiB per RPC, envelope included.',
  },
  relaySeen: { value: 8_192, reason: 'Messages in the seen cache of the bridge relay.' },
  crossingsWaiting: { value: 1_024, reason: 'Crossing messages that wait for the check of their seals. Guess.' },
  crossingsWaitingBytes: { value: 8 * 1024 * 1024, reason: 'Bytes of these messages. Guess.' },
  publishesWaiting: { value: 256, reason: 'Published messages that wait until gossipsub reaches a peer. Guess.' },
  relayWaiting: { value: 1_024, reason: 'Messages for which the bridge relay waits for another bridge. Guess.' },
  relayWaitingBytes: {
    value: 8 * 1024 * 1024,
    reason: 'Bytes of these messages, since each may have `messageBytes`. Guess.',
  },
  messageRing: {
    value: 1_024,
    reason: 'Recent messages, for display and to detect duplicates from two bridges. Guess.',
  },
  seeds: { value: 32, reason: 'Seeds of one node.' },
  topics: { value: 256, reason: 'Subscribed topics of the application.' },
  grudges: {
    value: 1_024,
    reason: 'Peers that left with penalties or backoffs, or that the node refuses. Guess: at most 4 MB.',
  },
  grudgeTopics: { value: 32, reason: 'Backoffs of one of these peers. Guess.' },
  grudgeMs: {
    value: 3_600_000,
    reason: 'Milliseconds for which penalties outlive their peer: gossipsub’s own default.',
  },
  refusalMs: {
    value: 60_000,
    reason:
      'Milliseconds for which the node refuses a peer whose link it closed for flooding or a bad frame: as long as gossipsub’s own backoff. Guess.',
  },
  peerTopicBytes: {
    value: 655_360,
    reason:
      'Bytes of topics in gossipsub per peer, 1 KiB per topic included: all topics of a bridge, in both meshes and with the longest names. With less memory less: all peers together get an eighth of it.',
  },
  pruneBackoff: {
    value: 3_600,
    reason: 'Longest backoff in seconds that a PRUNE may ask for: 60 times gossipsub’s own. Guess.',
  },
  applicationRegistries: {
    value: 32,
    reason: 'Registries and watched collections of the application. Each costs a span per census.',
  },
  held: { value: 4_096, reason: 'Registries, timers, resources and child owners of one owner. Guess.' },
  inbox: {
    value: 4_096,
    reason: 'Queued events of the driver, which refuses further ones. A snapshot makes up for missed hints.',
  },
  queuedSpans: { value: 20_000, reason: 'Spans queued while the OTLP receiver is unavailable.' },
  queuedSpanBytes: { value: 24 * 1024 * 1024, reason: 'Bytes of these spans.' },
  nameLength: { value: 64, reason: 'Characters of a name that a peer chooses.' },
  credentialBytes: {
    value: 1_024,
    reason: 'Bytes of one credential: one with all roles and the longest names has 900.',
  },
  verifiedCredentials: {
    value: 4_096,
    reason: 'Credentials whose signature the node verified lately: one per member, 4 MB.',
  },
  revocations: { value: 1_000, reason: 'Revoked credentials that one authority lists; each leaves when it expires.' },
  revocationBytes: { value: 49_152, reason: 'Bytes of a list of them: an entry has 36.' },
} as const satisfies Readonly<Record<string, LimitSpec>>

export type LimitName = keyof typeof limitTable

/** The default of each limit. */
export const limits = Object.fromEntries(Object.entries(limitTable).map(([name, { value }]) => [name, value])) as {
  readonly [L in LimitName]: (typeof limitTable)[L]['value']
}

/** The environment variable of a node that raises this limit; undefined if it is fixed. */
export function limitSetting(limit: LimitName): string | undefined {
  const { setting }: LimitSpec = limitTable[limit]
  return setting && `MESH_${setting.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`
}
