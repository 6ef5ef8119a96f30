import type { PathReport } from './events.ts'
import { GossipRepair } from './gossip-repair.ts'
import { limits } from './limits.ts'
import { isRelayed, type Link } from './link.ts'
import type { OwnedMap } from './owned-map.ts'
import type { Owner } from './owner.ts'

/** One record per peer: everything about it that is not in its digest. */
export interface PeerRecord {
  readonly peer: string
  links: readonly Link[]
  /** There was no room for it: all its connections will be closed. */
  isOverCapacity: boolean
  /** Gossipsub has one pair of streams per peer, on whichever connection. */
  readonly repair: GossipRepair
  /** Which of its addresses answered, until its first digest names the member that this concerns. */
  paths: PathReport | undefined
}

/** Peers beyond the bound that are held for as long as it takes to say so; any more are closed without a word. Guess. */
export const maxOverCapacity = 8

/**
 * The peers that a node has connections to, and these. A peer takes a place while one of its connections is no relayed
 * one; peers behind relays alone are listed up to a bound of their own.
 */
export class PeerRecords {
  readonly #records: OwnedMap<string, PeerRecord>
  readonly #maxPeers: number
  #places = 0

  constructor(owner: Owner, maxPeers: number) {
    this.#maxPeers = maxPeers
    this.#records = owner.map<string, PeerRecord>({
      name: 'peers',
      capacity: maxPeers + maxOverCapacity + limits.relayedPeers,
      expiry: { event: 'its last connection is gone' },
      release: () => {},
    })
  }

  /** Places taken. */
  get places(): number {
    return this.#places
  }

  /** A further peer is turned away, for which `hasRoomToRefuse` says whether it can be told. */
  get isFull(): boolean {
    return this.#places >= this.#maxPeers
  }

  get hasRoomToNotify(): boolean {
    return this.#places < this.#maxPeers + maxOverCapacity
  }

  get(peer: string): PeerRecord | undefined {
    return this.#records.get(peer)
  }

  values(): Iterable<PeerRecord> {
    return this.#records.values()
  }

  /** The record of a peer, or one for it that is not listed before a link is added. */
  getOrCreate(peer: string): PeerRecord {
    return (
      this.#records.get(peer) ?? {
        peer,
        links: [],
        isOverCapacity: false,
        repair: new GossipRepair(),
        paths: undefined,
      }
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

  /** Whether the peer’s place is free by that. */
  remove(record: PeerRecord, link: Link): boolean {
    record.links = record.links.filter((one) => one.connection !== link.connection)
    if (record.links.length === 0) this.#records.deleteIf(record.peer, (held) => held === record)
    const isFreed = !isRelayed(link) && record.links.every(isRelayed)
    if (isFreed) this.#places--
    return isFreed
  }

  /** Whether one more relayed connection of this peer may be listed. */
  hasRoomForRelayed({ links }: PeerRecord): boolean {
    const relayedCount = links.filter(isRelayed).length
    if (relayedCount > 0) return relayedCount < limits.linksPerPeer
    return [...this.#records.values()].filter((other) => other.links.some(isRelayed)).length < limits.relayedPeers
  }
}
