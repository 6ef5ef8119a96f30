import type { PathReport } from './events.ts'
import { GossipRepair } from './gossip-repair.ts'
import { limits } from './limits.ts'
import { isRelayed, type Link } from './link.ts'
import type { OwnedMap } from './owned-map.ts'
import type { Owner } from './owner.ts'

/** Connection state of one peer: everything that is not in its digest. */
export interface PeerRecord {
  readonly peer: string
  links: readonly Link[]
  /** The node was full when it connected: the ledger will close all its connections. */
  isOverLimit: boolean
  /** Gossipsub has one pair of streams per peer, on any of its connections. */
  readonly repair: GossipRepair
  /** Which of its addresses answered, until its first digest creates the member. */
  paths: PathReport | undefined
}

/** Peers above the limit that stay until their goodbye; the ledger closes further ones without it. Guess. */
export const maxOverLimit = 8

/**
 * The connected peers and their connections. A peer takes a place while it has a direct connection; peers connected
 * through relays only have a separate limit.
 */
export class PeerRecords {
  readonly #records: OwnedMap<string, PeerRecord>
  readonly #maxPeers: number
  #places = 0

  constructor(owner: Owner, maxPeers: number) {
    this.#maxPeers = maxPeers
    this.#records = owner.map<string, PeerRecord>({
      name: 'peers',
      capacity: maxPeers + maxOverLimit + limits.relayedPeers,
      expiry: { event: 'its last connection closed' },
      release: () => {},
    })
  }

  /** Number of peers with a direct connection. */
  get places(): number {
    return this.#places
  }

  /** Further peers are over the limit; `hasRoomToNotify` says whether they can receive a goodbye. */
  get isFull(): boolean {
    return this.#places >= this.#maxPeers
  }

  get hasRoomToNotify(): boolean {
    return this.#places < this.#maxPeers + maxOverLimit
  }

  get(peer: string): PeerRecord | undefined {
    return this.#records.get(peer)
  }

  values(): Iterable<PeerRecord> {
    return this.#records.values()
  }

  /** The record of a peer, or a new one, which is listed once a link is added. */
  getOrCreate(peer: string): PeerRecord {
    return (
      this.#records.get(peer) ?? { peer, links: [], isOverLimit: false, repair: new GossipRepair(), paths: undefined }
    )
  }

  find(connection: string): [PeerRecord, Link] | undefined {
    for (const record of this.#records.values())
      for (const link of record.links) if (link.connection === connection) return [record, link]
    return undefined
  }

  add(record: PeerRecord, link: Link, now: number): void {
    if (!isRelayed(link) && record.links.every(isRelayed)) this.#places++
    record.links = [...record.links, link]
    this.#records.set(record.peer, record, now)
  }

  /** Returns whether that freed the peer’s place. */
  remove(record: PeerRecord, link: Link): boolean {
    record.links = record.links.filter((one) => one.connection !== link.connection)
    if (record.links.length === 0) this.#records.deleteIf(record.peer, (listed) => listed === record)
    const isFreed = !isRelayed(link) && record.links.every(isRelayed)
    if (isFreed) this.#places--
    return isFreed
  }

  /** Whether the list has room for another relayed connection of this peer. */
  hasRoomForRelayed({ links }: PeerRecord): boolean {
    const relayedCount = links.filter(isRelayed).length
    if (relayedCount > 0) return relayedCount < limits.linksPerPeer
    return [...this.#records.values()].filter((other) => other.links.some(isRelayed)).length < limits.relayedPeers
  }
}
