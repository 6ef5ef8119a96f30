import type { Connection, Libp2pEvents, Peer, PeerId, TypedEventTarget } from '@libp2p/interface'
import type { ConnectionManager } from '@libp2p/interface-internal'
import type { SpanEffect } from '../../catalogue/span-effect.ts'
import { errorMessage } from '../../core/errors.ts'
import { limits } from '../../core/limits.ts'
import type { Clock } from '../../core/machine.ts'
import type { OwnedMap } from '../../core/owned-map.ts'
import type { Owner } from '../../core/owner.ts'
import { judgeRecord, type RecordVerdict } from '../../core/record-rules.ts'
import { emitPeerStoreSwept, type SweepTally } from '../../core/spans/peer-store.ts'
import type { CensusPart } from '../../evidence/census.ts'
import { atMost } from '../../evidence/invariants.ts'
import { pause } from '../clock.ts'
import type { ConnectionOwner } from '../connections/connections.ts'
import { linkProtocol } from '../connections/link-streams.ts'
import { cutMessage } from '../dials/dial-failure.ts'
import { type Dht, type DhtContact, tableOf } from './dht-table.ts'
import { compactRecord, peerOfRecord, type RecordStore, recordKey, recordKeys } from './peer-store-records.ts'
import { StoredPeers, type StoredPeersComponents } from './stored-peers.ts'
import { TableProbe } from './table-probe.ts'

export interface SweepComponents extends StoredPeersComponents {
  readonly peerId: PeerId
  readonly events: TypedEventTarget<Libp2pEvents>
  readonly datastore: RecordStore
  readonly connectionManager: Pick<ConnectionManager, 'getConnections' | 'getDialQueue' | 'openConnection'>
}

export interface PeerStoreSweepOptions {
  readonly components: SweepComponents
  readonly owner: Owner
  readonly clock: Clock
  /** `all` records, or in an application the mesh's `own`. */
  readonly mode: 'own' | 'all'
  /** Milliseconds between two sweeps; `sweepIntervalMs` by default. */
  readonly intervalMs?: number | undefined
  readonly dht: Dht | undefined
  /** A member that others have heard of lately. */
  readonly isMember: (peer: string) => boolean
  /** Who opened the connections to a peer, when the last one closes; in mode `own` only. */
  readonly openedBy: (peer: PeerId) => ConnectionOwner
  readonly identify: (connection: Connection) => Promise<unknown>
  /** Topics of gossipsub: it tags the peers of its meshes with their names, and leaves the tags when they go. */
  readonly gossipTopics: () => readonly string[]
  readonly emitSpan: (span: SpanEffect) => void
}

/** A peer that disconnected. */
interface Departure {
  readonly peer: PeerId
  readonly at: number
  /** Undefined in mode `all`. */
  readonly openedBy: ConnectionOwner | undefined
}

/** A record costs 5 KB (measured): 1,000 short-lived peers in this time 5 MB. */
export const sweepIntervalMs = 120_000
/** A peer may be back within this time. */
const graceMs = 60_000
/** A sweep lets other work pass after this many records, or milliseconds. */
const sliceSize = 64
const sliceMs = 5
const pauseMs = 1
/** A sweep ends after this share of its interval; the next one goes on. */
const limitShare = 0.5
/** Ids in the evidence of records that no sweep removes. */
const maxIds = 16
/** Tags with which kad-dht marks its table. */
const dhtTags = ['kad-peer', 'kad-close', 'keep-alive-kad-dht']
/** libp2p's prefix for peers that it should stay connected to. */
const keepAlive = 'keep-alive'

/**
 * Removes the records of absent peers from libp2p's peer store, which itself removes none. The mesh does not need them:
 * it dials seeds and members at the addresses of its configuration and of their digests.
 *
 * In an application it removes only records of the mesh's own peers: those that the mesh dialled, and members that
 * dialled this node; neither those that the application dialled or tagged, nor those in the table of its DHT.
 */
export class PeerStoreSweep {
  readonly #options: PeerStoreSweepOptions
  readonly #graceMs: number
  readonly #intervalMs: number
  readonly #peers: StoredPeers
  /** Undefined where the sweep does not judge the table of a DHT. */
  readonly #tableProbe: TableProbe | undefined
  /** Peers that disconnected since the last sweep. */
  readonly #disconnected: OwnedMap<string, Departure>
  /** What evicted departures came to since the last sweep: it is in the next one's span. */
  #evicted: SweepTally = newTally()
  /** When the last sweep began that judged all records without an error. */
  #wholeAt: number
  /** The census before found no whole sweep for two intervals. */
  #wasOverdue = false

  constructor(options: PeerStoreSweepOptions) {
    const { owner, clock, components, intervalMs = sweepIntervalMs, mode, dht } = options
    this.#options = options
    this.#peers = new StoredPeers(components, options.identify)
    const { connectionManager } = components
    this.#tableProbe =
      mode === 'all' && dht !== undefined ? new TableProbe({ connectionManager, owner, clock }) : undefined
    this.#intervalMs = intervalMs
    this.#wholeAt = clock.now()
    this.#graceMs = Math.min(graceMs, intervalMs / 2)
    this.#disconnected = owner.map<string, Departure>({
      name: 'disconnected',
      capacity: limits.disconnected,
      expiry: { event: 'the sweep, or the peer connects' },
      release: (departure, _, reason) => {
        // In an application the sweep knows only these: the record of an evicted one would stay for ever, so it goes
        // before its grace is over.
        if (reason === 'evicted' && mode === 'own') void this.#sweepEvicted(departure)
      },
    })
  }

  start(): void {
    const { components, owner } = this.#options
    const { events } = components
    const onDisconnect = ({ detail: peer }: CustomEvent<PeerId>) => this.#noteDeparture(peer)
    const onConnect = ({ detail: peer }: CustomEvent<PeerId>) => {
      this.#disconnected.delete(peer.toString())
      this.#tableProbe?.forget(peer)
    }
    events.addEventListener('peer:disconnect', onDisconnect)
    events.addEventListener('peer:connect', onConnect)
    owner.adopt('peer store listeners', () => {
      events.removeEventListener('peer:disconnect', onDisconnect)
      events.removeEventListener('peer:connect', onConnect)
    })
    this.#schedule()
  }

  #schedule(): void {
    const { owner } = this.#options
    if (owner.closed) return
    owner.after(this.#intervalMs, () => void this.sweep().then(() => this.#schedule()))
  }

  #noteDeparture(peer: PeerId): void {
    const { clock, owner, mode } = this.#options
    if (owner.closed) return
    const at = clock.now()
    const openedBy = mode === 'own' ? this.#options.openedBy(peer) : undefined
    this.#disconnected.set(peer.toString(), { peer, at, openedBy }, at)
  }

  /** Sweeps once, and emits the span. Never rejects. */
  async sweep(): Promise<void> {
    const { clock, owner, mode, emitSpan } = this.#options
    const startedAt = clock.now()
    const tally = this.#evicted
    this.#evicted = newTally()
    try {
      if (mode === 'all') await this.#sweepAll(tally, startedAt)
      else await this.#sweepOwn(tally, startedAt)
    } catch (error) {
      fail(tally, error)
    }
    if (tally.errors === 0 && tally.judged === tally.before) this.#wholeAt = startedAt
    // The peer store of a node that stops meanwhile is of no interest.
    if (!owner.closed) emitSpan(emitPeerStoreSwept(mode, tally, startedAt, clock.now() - startedAt))
  }

  /**
   * For the census, in mode `all`: after two intervals without a whole sweep there may be no records but those of
   * connected peers, of the DHT's table, and of departures within their grace.
   */
  async evidence(now: number): Promise<CensusPart> {
    const { components, dht, mode } = this.#options
    const wasOverdue = this.#wasOverdue
    this.#wasOverdue = mode === 'all' && now - this.#wholeAt > 2 * this.#intervalMs
    // A process that was stopped for so long sweeps before the second census.
    if (!wasOverdue || !this.#wasOverdue) return {}
    const connected = components.connectionManager.getConnections().map(({ remotePeer }) => remotePeer)
    const table = dht === undefined ? [] : [...tableOf(dht).values()].map(({ peerId }) => peerId)
    const departed = [...this.#disconnected.values()].filter(({ at }) => now - at < this.#graceMs)
    const wanted = new Set([...connected, ...table, ...departed.map(({ peer }) => peer)].map(recordKey))
    const keys = await recordKeys(components.datastore, components.peerId)
    const left = keys.filter((key) => !wanted.has(key))
    const counts = { expected: keys.length - left.length, actual: keys.length }
    const ids = left.slice(0, maxIds).map((key) => peerOfRecord(key).toString())
    return { invariants: [atMost({ name: 'peer-store-swept', owner: 'peer store', ...counts, ids })] }
  }

  async #sweepAll(tally: SweepTally, startedAt: number): Promise<void> {
    const { components, dht } = this.#options
    const { datastore, peerId } = components
    const table = dht === undefined ? new Map<string, DhtContact>() : tableOf(dht)
    const keys = await recordKeys(datastore, peerId)
    const contacts: DhtContact[] = []
    tally.before = keys.length
    const slice = this.#slicer(startedAt)
    for (const key of keys) {
      if (!(await slice.next())) break
      tally.judged++
      await this.#attempt(tally, async () => {
        const peer = peerOfRecord(key)
        const contact = table.get(peer.toString())
        const verdict = await this.#sweepRecord(peer, contact, tally)
        if (verdict === 'probe' && contact !== undefined) contacts.push(contact)
        if (verdict !== 'remove') tally.compacted += Number(compactRecord(datastore, key))
      })
    }
    if (tally.judged === tally.before) this.#forgetJudged(startedAt)
    await this.#removeUnrecorded(table, keys, tally)
    await this.#probeTable(contacts, table, tally, startedAt)
    tally.after = (await recordKeys(datastore, peerId)).length
  }

  async #sweepOwn(tally: SweepTally, startedAt: number): Promise<void> {
    const { components, dht } = this.#options
    const { datastore, peerId } = components
    const table = dht === undefined ? new Map<string, DhtContact>() : tableOf(dht)
    const departures = [...this.#disconnected.values()].filter(({ at }) => startedAt - at >= this.#graceMs)
    tally.before = tally.removed + (await recordKeys(datastore, peerId)).length
    const slice = this.#slicer(startedAt)
    for (const departure of departures) {
      if (!(await slice.next())) break
      tally.judged++
      const id = departure.peer.toString()
      if (!table.has(id) && departure.openedBy !== 'application') await this.#sweepOwnRecord(departure, tally)
      this.#disconnected.deleteIf(id, (current) => current === departure)
    }
    tally.after = (await recordKeys(datastore, peerId)).length
  }

  async #sweepEvicted(departure: Departure): Promise<void> {
    const { dht } = this.#options
    const tally = newTally()
    tally.judged++
    const isInTable = dht !== undefined && tableOf(dht).has(departure.peer.toString())
    if (!isInTable && departure.openedBy !== 'application') await this.#sweepOwnRecord(departure, tally)
    add(this.#evicted, tally)
  }

  async #sweepOwnRecord({ peer, openedBy }: Departure, tally: SweepTally): Promise<void> {
    await this.#attempt(tally, async () => {
      const record = await this.#peers.get(peer)
      if (record === undefined || this.#peers.isConnected(peer) || this.#peers.isDialled(peer)) return
      if (this.#isTagged(record)) return
      if (openedBy === 'mesh' || speaksMesh(record)) await this.#remove(record, tally)
    })
  }

  async #sweepRecord(peer: PeerId, contact: DhtContact | undefined, tally: SweepTally): Promise<RecordVerdict> {
    // Most records of a quiet node are those of connected peers: they are not even read.
    if (this.#peers.isConnected(peer)) return 'keep'
    const record = await this.#peers.get(peer)
    if (record === undefined) return 'remove'
    const verdict = this.#judge(record, contact)
    if (verdict !== 'remove') return verdict
    return (await this.#remove(record, tally)) ? 'remove' : 'keep'
  }

  #judge(record: Peer, contact: DhtContact | undefined): RecordVerdict {
    const { clock, isMember } = this.#options
    const id = record.id.toString()
    const departedAt = this.#disconnected.get(id)?.at
    const sinceMs = clock.wall() - updatedAt(record)
    // The wall clock may have been set back.
    const sinceChangeMs = sinceMs < 0 ? Infinity : sinceMs
    const facts = {
      isConnected: this.#peers.isConnected(record.id),
      isDialled: this.#peers.isDialled(record.id),
      isTagged: this.#isTagged(record),
      idleMs: departedAt === undefined ? sinceChangeMs : Math.min(sinceChangeMs, clock.now() - departedAt),
      isInTable: contact !== undefined,
      isMember: isMember(id),
    }
    return judgeRecord(facts, this.#graceMs)
  }

  /** Removes peers from the DHT's table that have no record: it would not name them in an answer. */
  async #removeUnrecorded(
    table: ReadonlyMap<string, DhtContact>,
    keys: readonly string[],
    tally: SweepTally,
  ): Promise<void> {
    const { dht } = this.#options
    if (dht === undefined || table.size === 0) return
    const recorded = new Set(keys)
    for (const { peerId } of table.values())
      if (!recorded.has(recordKey(peerId)) && !this.#peers.isConnected(peerId))
        await this.#attempt(tally, () => dht.routingTable.remove(peerId))
  }

  /** Removes peers of the DHT's table that did not answer in two sweeps from it and from the peer store. */
  async #probeTable(
    contacts: readonly DhtContact[],
    table: ReadonlyMap<string, DhtContact>,
    tally: SweepTally,
    startedAt: number,
  ): Promise<void> {
    const { dht, isMember } = this.#options
    if (this.#tableProbe === undefined) return
    const isInDoubt = (id: string) => table.has(id) && !isMember(id)
    tally.probed = await this.#tableProbe.run(contacts, isInDoubt, startedAt + this.#limitMs, ({ peerId }) =>
      this.#attempt(tally, async () => {
        const record = await this.#peers.get(peerId)
        if (this.#peers.isConnected(peerId)) return
        // First from the table: that writes to the record.
        await dht?.routingTable.remove(peerId)
        if (record !== undefined) await this.#remove(record, tally)
      }),
    )
  }

  async #remove(record: Peer, tally: SweepTally): Promise<boolean> {
    const isRemoved = await this.#peers.remove(record)
    tally.removed += Number(isRemoved)
    return isRemoved
  }

  /** Forgets departures whose grace period is over: a whole sweep has judged their records. */
  #forgetJudged(startedAt: number): void {
    for (const [id, { at }] of this.#disconnected.entries())
      if (startedAt - at >= this.#graceMs) this.#disconnected.delete(id)
  }

  get #limitMs(): number {
    return this.#intervalMs * limitShare
  }

  /** Its `next` waits where other work should pass, and says whether the sweep may go on. */
  #slicer(startedAt: number): { readonly next: () => Promise<boolean> } {
    const { clock, owner } = this.#options
    let count = 0
    let sliceAt = startedAt
    return {
      next: async () => {
        if (count++ % sliceSize === sliceSize - 1 || clock.now() - sliceAt >= sliceMs) {
          await pause(owner, pauseMs)
          sliceAt = clock.now()
        }
        return !owner.closed && clock.now() - startedAt < this.#limitMs
      },
    }
  }

  async #attempt(tally: SweepTally, work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      fail(tally, error)
    }
  }

  /**
   * Whether somebody wants the record: a tag asks libp2p to keep the connection, or in an application it is neither
   * gossipsub's nor a known DHT's. Other tags only say which connections libp2p closes last.
   */
  #isTagged({ tags }: Peer): boolean {
    const { dht, mode, gossipTopics } = this.#options
    const names = [...tags.keys()].filter((tag) => dht === undefined || !dhtTags.includes(tag))
    if (mode === 'own') return names.length > 0 && names.some((tag) => !gossipTopics().includes(tag))
    return names.some((tag) => tag.startsWith(keepAlive) || dhtTags.includes(tag))
  }
}

function newTally(): SweepTally {
  return { before: 0, after: 0, judged: 0, removed: 0, probed: 0, compacted: 0, errors: 0, firstError: '' }
}

function add(to: SweepTally, { judged, removed, errors, firstError }: SweepTally): void {
  if (to.errors === 0) to.firstError = firstError
  to.judged += judged
  to.removed += removed
  to.errors += errors
}

function fail(tally: SweepTally, error: unknown): void {
  tally.errors++
  if (tally.errors === 1) tally.firstError = cutMessage(errorMessage(error))
}

function speaksMesh({ protocols }: Peer): boolean {
  return protocols.includes(linkProtocol)
}

/** Unix milliseconds of the last change of a record; libp2p has it in every record, and its type leaves it out. */
function updatedAt(record: Peer): number {
  const { updated } = record as { updated?: unknown }
  return typeof updated === 'number' ? updated : 0
}
