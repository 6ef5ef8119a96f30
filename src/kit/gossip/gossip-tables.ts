import {
  type GossipInternals,
  type NestedTable,
  type PeerTable,
  peerTables,
  type TableName,
} from './gossip-internals.ts'

/** Entries by table. */
export type EntryCounts = ReadonlyMap<TableName, number>

/** Peer ids in gossipsub's tables that are not among `connected`. One pass over all tables. */
export function findGhosts(gossip: GossipInternals, connected: ReadonlySet<string>): ReadonlySet<string> {
  const ids = new Set<string>()
  forEachPeer(gossip, (id) => {
    if (!connected.has(id)) ids.add(id)
  })
  return ids
}

/** Number of distinct peer ids in all tables. One pass over them. */
export function countPeers(gossip: GossipInternals): number {
  const ids = new Set<string>()
  forEachPeer(gossip, (id) => ids.add(id))
  return ids.size
}

/** A sweep goes through every entry: `forEach` makes no object for each. */
function forEachPeer(gossip: GossipInternals, visit: (id: string) => void): void {
  const visitKey = (_: unknown, id: string) => visit(id)
  const { flat, nested } = peerTables(gossip)
  for (const [, table] of flat) table.forEach(visitKey)
  for (const [, table] of nested) for (const peers of table.values()) peers.forEach(visitKey)
}

/**
 * Removes these peers from all tables; returns the number of entries that each table lost. The cost is that of one pass
 * over the entries, however many peers and topics there are: peers choose the number of topics.
 */
export function removePeers(gossip: GossipInternals, ids: ReadonlySet<string>): EntryCounts {
  const { flat, nested } = peerTables(gossip)
  const counts = new Map<TableName, number>()
  for (const [name, table] of flat) addTo(counts, name, countOf(table, ids))
  for (const [name, table] of nested)
    addTo(counts, name, removeNested(table, ids, name !== 'mesh' && name !== 'fanout'))
  for (const id of ids) endStreams(gossip, id)
  for (const [, table] of flat) for (const id of ids) table.delete(id)
  return counts
}

/** Peers to or from which gossipsub has a stream although it does not list them: it lost them while one opened. */
export function findOrphanStreams({ peers, streamsInbound, streamsOutbound }: GossipInternals): ReadonlySet<string> {
  const ids = new Set<string>()
  for (const streams of [streamsInbound, streamsOutbound])
    for (const id of streams.keys()) if (!peers.has(id)) ids.add(id)
  return ids
}

/** Ends the streams of these peers, so that a heal can open new ones. */
export function removeStreams(gossip: GossipInternals, ids: ReadonlySet<string>): void {
  for (const id of ids) {
    endStreams(gossip, id)
    gossip.streamsInbound.delete(id)
    gossip.streamsOutbound.delete(id)
  }
}

/** As gossipsub removes a peer, and for an id that it does not list only its streams. */
function endStreams(gossip: GossipInternals, id: string): void {
  const { peers, streamsInbound, streamsOutbound } = gossip
  const streams = [streamsInbound.get(id)?.rawStream, streamsOutbound.get(id)?.rawStream]
  const peer = peers.get(id)
  if (peer !== undefined) gossip.removePeer(peer)
  for (const stream of streams) stream?.abort(new Error('gossipsub kept this stream without a connection'))
}

/** `mesh` and `fanout` keep their empty sets: they say which topics this node is in. */
function removeNested(table: NestedTable, ids: ReadonlySet<string>, dropsEmpty: boolean): number {
  let removed = 0
  for (const [key, peers] of table) {
    removed += removeFrom(peers, ids)
    if (dropsEmpty && peers.size === 0) table.delete(key)
  }
  return removed
}

/** Iterates over the smaller side. */
function removeFrom(peers: PeerTable, ids: ReadonlySet<string>): number {
  const before = peers.size
  if (ids.size < before) for (const id of ids) peers.delete(id)
  else for (const id of peers.keys()) if (ids.has(id)) peers.delete(id)
  return before - peers.size
}

function countOf(table: PeerTable, ids: ReadonlySet<string>): number {
  let count = 0
  for (const id of ids) if (table.has(id)) count++
  return count
}

function addTo(counts: Map<TableName, number>, name: TableName, count: number): void {
  if (count > 0) counts.set(name, (counts.get(name) ?? 0) + count)
}

/** Sizes of gossipsub's tables; of one with entries per topic the sum. Microseconds, but for one pass over the topics and the cached messages. */
export interface GossipSizes {
  readonly peers: number
  /** Topics that this node has subscribed to, past the kit too. */
  readonly subscriptions: number
  /** Topics that peers have subscribed to. */
  readonly topics: number
  readonly mesh: number
  readonly fanout: number
  readonly backoff: number
  readonly streamsIn: number
  readonly streamsOut: number
  readonly scores: number
  readonly scoreCache: number
  readonly peerIps: number
  readonly promises: number
  /** Tables keyed by message; each entry expires by itself. */
  readonly seen: number
  readonly cached: number
  /** Bytes of the cached messages: peers choose their size and number. */
  readonly cachedBytes: number
  readonly deliveries: number
}

export function gossipSizes(gossip: GossipInternals): GossipSizes {
  const { score, seenCache, fastMsgIdCache, publishedMessageIds } = gossip
  return {
    peers: gossip.peers.size,
    subscriptions: gossip.subscriptions.size,
    topics: gossip.topics.size,
    mesh: sumOf(gossip.mesh),
    fanout: sumOf(gossip.fanout),
    backoff: sumOf(gossip.backoff),
    streamsIn: gossip.streamsInbound.size,
    streamsOut: gossip.streamsOutbound.size,
    scores: score.peerStats.size,
    scoreCache: score.scoreCache.size,
    peerIps: sumOf(score.peerIPs),
    promises: gossip.gossipTracer.promises.size,
    seen: seenCache.size + publishedMessageIds.size + (fastMsgIdCache?.size ?? 0),
    cached: gossip.mcache.msgs.size,
    cachedBytes: cachedBytesOf(gossip),
    deliveries: score.deliveryRecords.queue.length,
  }
}

function cachedBytesOf({ mcache }: GossipInternals): number {
  let bytes = 0
  for (const { message } of mcache.msgs.values()) bytes += message.data?.length ?? 0
  return bytes
}

function sumOf(table: NestedTable): number {
  let sum = 0
  for (const { size } of table.values()) sum += size
  return sum
}

/** The peer with the most topics. */
export function mostTopics({
  topics,
}: GossipInternals): { readonly peer: string; readonly topics: number } | undefined {
  const counts = new Map<string, number>()
  for (const peers of topics.values()) for (const id of peers.keys()) counts.set(id, (counts.get(id) ?? 0) + 1)
  let most: { peer: string; topics: number } | undefined
  for (const [peer, count] of counts) if (count > (most?.topics ?? 0)) most = { peer, topics: count }
  return most
}
