import { type Due, DueQueue } from './due-queue.ts'
import type { PathReport } from './events.ts'
import type { CloseReason } from './frames.ts'
import { GossipRepair } from './gossip-repair.ts'
import { limits } from './limits.ts'
import { isJoined, isRelayed, type Link } from './link.ts'
import type { OwnedMap, ReleaseReason } from './owned-map.ts'
import type { Owner } from './owner.ts'

/** Connection state of one peer: everything that is not in its digest. */
export class PeerRecord implements Due {
  readonly peer: string
  links: readonly Link[] = []
  /** The node was full when it connected: the ledger will close all its connections. */
  isOverLimit = false
  /** Gossipsub has one pair of streams per peer, on any of its connections. */
  readonly repair = new GossipRepair()
  /** Which of its addresses answered, until its first digest creates the member. */
  paths: PathReport | undefined
  /** One of its links is joined, as of the last `update`. */
  isLinked = false
  dueAt = Infinity
  queueIndex = -1

  constructor(peer: string) {
    this.peer = peer
  }
}

/** Peers above the limit that stay until their goodbye; the ledger closes further ones without it. Guess. */
export const maxOverLimit = 8

/**
 * The connected peers and their connections. A peer counts towards `connectionsHigh` while it has a direct connection;
 * peers connected through relays only have a separate limit.
 */
export class PeerRecords {
  readonly #records: OwnedMap<string, PeerRecord>
  /** Entries of `#records` by the ids of their connections: a frame carries only its connection id. */
  readonly #byConnection = new Map<string, readonly [PeerRecord, Link]>()
  readonly #queue = new DueQueue<PeerRecord>()
  readonly #connectionsHigh: number
  readonly #dueAt: (record: PeerRecord) => number
  #places = 0
  /** Peers with a relayed connection. */
  #relayedPeers = 0
  #opened = 0
  readonly #closed: { [R in CloseReason]?: number } = {}
  #linkedPeers: readonly string[] | undefined = []

  /** `dueAt`: when a record needs a tick, from its own fields. */
  constructor(owner: Owner, connectionsHigh: number, dueAt: (record: PeerRecord) => number) {
    this.#connectionsHigh = connectionsHigh
    this.#dueAt = dueAt
    this.#records = owner.map<string, PeerRecord>({
      name: 'peers',
      capacity: connectionsHigh + maxOverLimit + limits.relayedPeers,
      expiry: { event: 'its last connection closed' },
      release: (record, _, reason) => this.#forget(record, reason),
    })
  }

  /** Number of peers with a direct connection. */
  get places(): number {
    return this.#places
  }

  /** Further peers are over the limit; `hasRoomToNotify` says whether they can receive a goodbye. */
  get isFull(): boolean {
    return this.#places >= this.#connectionsHigh
  }

  get hasRoomToNotify(): boolean {
    return this.#places < this.#connectionsHigh + maxOverLimit
  }

  get(peer: string): PeerRecord | undefined {
    return this.#records.get(peer)
  }

  /** Peers with a connection, those behind relays included. */
  get size(): number {
    return this.#records.size
  }

  values(): Iterable<PeerRecord> {
    return this.#records.values()
  }

  /** The record of a peer, or a new one, which is listed once a link is added. */
  getOrCreate(peer: string): PeerRecord {
    return this.#records.get(peer) ?? new PeerRecord(peer)
  }

  find(connection: string): readonly [PeerRecord, Link] | undefined {
    return this.#byConnection.get(connection)
  }

  /** Peers with a joined link; the same array until one joins or leaves. */
  get linkedPeers(): readonly string[] {
    this.#linkedPeers ??= [...this.#records.values()].filter(({ isLinked }) => isLinked).map(({ peer }) => peer)
    return this.#linkedPeers
  }

  /** When the first record needs a tick; Infinity for never. */
  deadline(): number {
    return this.#queue.earliest()
  }

  /** Records that need a tick now; `update` has to follow for each. */
  takeDue(now: number): readonly PeerRecord[] {
    return this.#queue.takeDue(now)
  }

  /** After every change of a record or of its links. */
  update(record: PeerRecord): void {
    const isLinked = record.links.some(isJoined)
    if (isLinked !== record.isLinked) this.#linkedPeers = undefined
    record.isLinked = isLinked
    this.#queue.schedule(record, this.#dueAt(record))
  }

  updateAll(): void {
    for (const record of this.#records.values()) this.update(record)
  }

  /** Connections added and removed since the start, the latter by reason. */
  get counts(): { readonly opened: number; readonly closed: { readonly [R in CloseReason]?: number } } {
    return { opened: this.#opened, closed: this.#closed }
  }

  add(record: PeerRecord, link: Link, now: number): void {
    this.#opened++
    if (isRelayed(link) && !record.links.some(isRelayed)) this.#relayedPeers++
    if (!isRelayed(link) && record.links.every(isRelayed)) this.#places++
    record.links = [...record.links, link]
    this.#byConnection.set(link.connection, [record, link])
    this.#records.set(record.peer, record, now)
  }

  /** Returns whether that freed the peer’s place. */
  remove(record: PeerRecord, link: Link): boolean {
    this.#countClosed(link)
    record.links = record.links.filter((one) => one.connection !== link.connection)
    this.#byConnection.delete(link.connection)
    if (isRelayed(link) && !record.links.some(isRelayed)) this.#relayedPeers--
    this.update(record)
    if (record.links.length === 0) this.#records.deleteIf(record.peer, (listed) => listed === record)
    const isFreed = !isRelayed(link) && record.links.every(isRelayed)
    if (isFreed) this.#places--
    return isFreed
  }

  #forget(record: PeerRecord, reason: ReleaseReason): void {
    this.#queue.remove(record)
    if (record.links.some(isRelayed)) this.#relayedPeers--
    for (const link of record.links) {
      this.#byConnection.delete(link.connection)
      // For any other reason the counts show that a record was lost with its links.
      if (reason === 'closed') this.#countClosed(link)
    }
  }

  #countClosed({ ending }: Link): void {
    const reason = ending?.reason ?? 'transport'
    this.#closed[reason] = (this.#closed[reason] ?? 0) + 1
  }

  /** Whether the list has room for another relayed connection of this peer. */
  hasRoomForRelayed({ links }: PeerRecord): boolean {
    const relayedCount = links.filter(isRelayed).length
    return relayedCount > 0 ? relayedCount < limits.linksPerPeer : this.#relayedPeers < limits.relayedPeers
  }
}
