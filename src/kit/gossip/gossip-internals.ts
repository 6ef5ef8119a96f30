import type { Connection, PeerId, Stream } from '@libp2p/interface'

/** A message as gossipsub caches and sends it. */
export interface RawMessage {
  readonly topic: string
  readonly data?: Uint8Array
}

/** Gossipsub's outbound stream to a peer; both methods take one RPC, the second with its length prefix. */
export interface OutboundStream {
  readonly rawStream: Stream
  push(rpc: Uint8Array): void
  pushPrefixed(rpc: { readonly byteLength: number; subarray(): Uint8Array }): void
}

interface Ihave {
  readonly messageIDs?: readonly Uint8Array[]
}

/** One PRUNE; `backoff` in seconds, chosen by the remote peer. */
export interface Prune {
  readonly topicID?: string
  readonly backoff?: number
}

/** Statistics of a peer in one topic that gossipsub scores. */
interface TopicStats {
  readonly inMesh: boolean
  readonly graftTime: number
  readonly meshTime: number
  readonly firstMessageDeliveries: number
  readonly meshMessageDeliveries: number
  readonly meshMessageDeliveriesActive: boolean
  readonly meshFailurePenalty: number
  readonly invalidMessageDeliveries: number
}

export interface PeerStats {
  readonly topics: Record<string, TopicStats>
  readonly knownIPs: ReadonlySet<string>
  behaviourPenalty: number
}

/** Sets of peer ids, or maps keyed by peer id. */
export type PeerTable = Pick<Map<string, unknown>, 'has' | 'delete' | 'size' | 'keys'> & {
  forEach(visit: (value: unknown, id: string) => void): void
}
/** Tables keyed by peer id in a map with other keys. */
export type NestedTable = Map<string, PeerTable>

export interface GossipScore {
  readonly peerStats: Map<string, PeerStats>
  readonly scoreCache: PeerTable
  readonly peerIPs: NestedTable
  readonly deliveryRecords: { readonly queue: { readonly length: number } }
  /** Overwrites the statistics of a peer that it has retained. */
  addPeer(peer: string): void
  removeIP(peer: string, ip: string): void
}

/**
 * The private members of js gossipsub that the mesh uses. Only this file names them. The start and a test check
 * `missingInternals` and `unknownTables`, so another version of gossipsub fails visibly.
 */
export interface GossipInternals {
  readonly peers: Map<string, PeerId>
  readonly streamsOutbound: Map<string, OutboundStream>
  readonly streamsInbound: Map<string, { readonly rawStream: Stream }>
  /** Queue of connections on which to open an outbound stream. */
  readonly outboundInflightQueue: { readonly readableLength: number }
  readonly mcache: {
    readonly msgs: ReadonlyMap<string, { readonly message: RawMessage }>
    readonly msgIdToStrFn: (id: Uint8Array) => string
    put(id: unknown, message: RawMessage, validated?: boolean): boolean
  }
  readonly score: GossipScore
  readonly subscriptions: ReadonlySet<string>
  readonly topics: NestedTable
  readonly mesh: NestedTable
  readonly fanout: NestedTable
  /** By topic and peer: when this node may graft the peer again, in Unix milliseconds. */
  readonly backoff: Map<string, Map<string, number>>
  readonly gossipTracer: { readonly promises: NestedTable }
  readonly seenCache: { readonly size: number }
  readonly publishedMessageIds: { readonly size: number }
  readonly fastMsgIdCache?: { readonly size: number }
  /** Bytes of topics that one peer may subscribe to; unlimited in the oldest versions. */
  readonly maxTopicBytesPerPeer?: number
  createOutboundStream(peer: PeerId, connection: Connection): Promise<void>
  /** Reads an inbound stream to its end, and calls `removePeer` after an error. */
  pipePeerReadStream(peer: PeerId, source: AsyncIterable<unknown>): Promise<void>
  /** Queues an IHAVE for a peer. */
  pushGossip(peer: string, ihave: Ihave): void
  /** Closes both streams of the peer and removes it. */
  removePeer(peer: PeerId): void
  handleReceivedRpc(from: PeerId, rpc: object): Promise<void>
  handlePrune(peer: string, prune: readonly Prune[]): Promise<void>
  /** Returns false when the peer has subscribed to as many topics as it may. */
  handleReceivedSubscription(from: PeerId, topic: string, subscribe: boolean): boolean | undefined
}

const isMap = (value: unknown) => value instanceof Map
const isSet = (value: unknown) => value instanceof Set
const isFunction = (value: unknown) => typeof value === 'function'
const hasSize = (value: { readonly size?: unknown } | undefined) => typeof value?.size === 'number'
const isOptional = (fits: (value: never) => boolean) => (value: unknown) => value === undefined || fits(value as never)

const checks: { readonly [K in keyof GossipInternals]-?: (value: never) => boolean } = {
  peers: isMap,
  streamsOutbound: isMap,
  streamsInbound: isMap,
  outboundInflightQueue: (value: Partial<GossipInternals['outboundInflightQueue']> | undefined) =>
    typeof value?.readableLength === 'number',
  mcache: (value: Partial<GossipInternals['mcache']> | undefined) =>
    isMap(value?.msgs) && isFunction(value?.msgIdToStrFn) && isFunction(value?.put),
  score: isScore,
  subscriptions: isSet,
  topics: isMap,
  mesh: isMap,
  fanout: isMap,
  backoff: isMap,
  gossipTracer: (value: Partial<GossipInternals['gossipTracer']> | undefined) => isMap(value?.promises),
  seenCache: hasSize,
  publishedMessageIds: hasSize,
  fastMsgIdCache: isOptional(hasSize),
  maxTopicBytesPerPeer: isOptional((value: unknown) => typeof value === 'number'),
  createOutboundStream: isFunction,
  pipePeerReadStream: isFunction,
  pushGossip: isFunction,
  removePeer: isFunction,
  handleReceivedRpc: isFunction,
  handlePrune: isFunction,
  handleReceivedSubscription: isFunction,
}

function isScore(score: Partial<GossipScore> | undefined): boolean {
  if (score === undefined) return false
  const maps = [score.peerStats, score.scoreCache, score.peerIPs].every(isMap)
  const methods = [score.addPeer, score.removeIP].every(isFunction)
  return maps && methods && typeof score.deliveryRecords?.queue?.length === 'number'
}

/** Further tables keyed by peer id, of which older versions lack some. */
const morePeerTables = [
  'floodsubPeers',
  'outbound',
  'acceptFromWhitelist',
  'gossip',
  'control',
  'peerhave',
  'iasked',
  'iwantCounts',
  'idontwantCounts',
  'idontwants',
  'peerTopicBytes',
] as const

/** Tables of gossipsub that are not keyed by peer id, or have ids from its options. */
const otherTables: readonly string[] = ['direct', 'subscriptions', 'fanoutLastpub', 'topicValidators', 'allowedTopics']

export type PeerTableName =
  | 'peers'
  | 'streamsInbound'
  | 'streamsOutbound'
  | 'scores'
  | 'scoreCache'
  | (typeof morePeerTables)[number]
export type NestedTableName = 'topics' | 'mesh' | 'fanout' | 'backoff' | 'peerIPs' | 'promises'
export type TableName = PeerTableName | NestedTableName

/** Every table keyed by peer id that this version of gossipsub has. */
export interface PeerTables {
  readonly flat: readonly (readonly [PeerTableName, PeerTable])[]
  readonly nested: readonly (readonly [NestedTableName, NestedTable])[]
}

export function peerTables(gossip: GossipInternals): PeerTables {
  const { peers, streamsInbound, streamsOutbound, score, topics, mesh, fanout, backoff, gossipTracer } = gossip
  const parts = gossip as unknown as Readonly<Record<string, PeerTable | undefined>>
  const more = morePeerTables.flatMap((name) => {
    const table = parts[name]
    return table === undefined ? [] : [[name, table] as const]
  })
  return {
    flat: [
      ['peers', peers],
      ['streamsInbound', streamsInbound],
      ['streamsOutbound', streamsOutbound],
      ['scores', score.peerStats],
      ['scoreCache', score.scoreCache],
      ...more,
    ],
    nested: [
      ['topics', topics],
      ['mesh', mesh],
      ['fanout', fanout],
      ['backoff', backoff],
      ['peerIPs', score.peerIPs],
      ['promises', gossipTracer.promises],
    ],
  }
}

/** Names of the members that a pubsub lacks or that have another shape; all of them if it is no js gossipsub. */
export function missingInternals(pubsub: object): readonly string[] {
  const parts = pubsub as unknown as Record<string, never>
  const required = Object.entries(checks).flatMap(([name, fits]) => (fits(parts[name] as never) ? [] : [name]))
  const isTable = (value: unknown) => value === undefined || isMap(value) || isSet(value)
  return [...required, ...morePeerTables.filter((name) => !isTable(parts[name]))]
}

/** Maps and sets of a js gossipsub that this file does not know: the mesh does not sweep them. */
export function unknownTables({ score, gossipTracer, ...gossip }: GossipInternals): readonly string[] {
  const known = [...Object.keys(checks), ...morePeerTables, ...otherTables]
  const knownInParts = [...Object.keys(checks), 'peerStats', 'scoreCache', 'peerIPs', 'promises', 'requestMsByMsg']
  const tablesOf = (part: object, except: readonly string[]) =>
    Object.entries(part).flatMap(([name, value]) =>
      (isMap(value) || isSet(value)) && !except.includes(name) ? [name] : [],
    )
  return [...tablesOf(gossip, known), ...[score, gossipTracer].flatMap((part) => tablesOf(part, knownInParts))]
}

/** The pubsub's private members; undefined if any is missing. */
export function gossipInternals(pubsub: object): GossipInternals | undefined {
  return missingInternals(pubsub).length === 0 ? (pubsub as unknown as GossipInternals) : undefined
}

/** The same check for a stream, which exists only once a peer is connected. */
export function isOutboundStream({ rawStream, push, pushPrefixed }: Partial<OutboundStream>): boolean {
  return rawStream !== undefined && isFunction(push) && isFunction(pushPrefixed)
}
