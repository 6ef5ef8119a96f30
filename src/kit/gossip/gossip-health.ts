import type { PeerId } from '@libp2p/interface'
import type { SpanEffect } from '../../catalogue/span-effect.ts'
import { GhostWatch } from '../../core/ghost-watch.ts'
import type { Grudges } from '../../core/grudges.ts'
import { LimitSpans } from '../../core/limit-spans.ts'
import { type LimitName, limits } from '../../core/limits.ts'
import type { Clock } from '../../core/machine.ts'
import type { Owner } from '../../core/owner.ts'
import { emitGossipSwept } from '../../core/spans/gossip.ts'
import type { NetworkComponents } from '../components.ts'
import { replaceMethod } from '../replace-method.ts'
import type { GossipInternals, Prune, TableName } from './gossip-internals.ts'
import { backoffsOf, penaltiesOf, restoreGrudge } from './gossip-scores.ts'
import { countPeers, findGhosts, findOrphanStreams, removePeers, removeStreams } from './gossip-tables.ts'

interface GossipHealthOptions {
  readonly gossip: GossipInternals
  readonly owner: Owner
  readonly clock: Clock
  readonly connectionManager: Pick<NetworkComponents['connectionManager'], 'getConnections'>
  readonly emitSpan: (span: SpanEffect) => void
  /** A sweep failed; the next one follows. */
  readonly onError: (error: unknown) => void
  /** Counts the refusals of the node. */
  readonly limitSpans?: LimitSpans | undefined
  readonly grudges: Grudges
}

/** Totals since the start. */
export interface GossipHealthCounts {
  /** Peers without a connection that sweeps removed. */
  readonly swept: number
  /** Grudges that peers got back. */
  readonly restored: number
  /** RPCs of peers without a connection. */
  readonly lateRpcs: number
}

/**
 * Interval of sweeps. A heartbeat, once a second, may graft a ghost; a mesh full of them accepts no living peer, and a
 * peer that it refused stays away for a minute. Milliseconds.
 */
const sweepMs = 3_000
const graceMs = 2_000
/** Tables in which gossipsub itself retains a peer for a while after its disconnect: no sign of a fault. */
const retainedTables: readonly TableName[] = ['scores', 'scoreCache', 'peerIPs', 'backoff']

/**
 * Keeps gossipsub's tables free of peers that have no connection, and remembers what speaks against those that left.
 * Gossipsub drops a peer when it disconnects, but handles streams and RPCs of that peer that arrive later.
 */
export class GossipHealth {
  readonly #options: GossipHealthOptions
  readonly gossip: GossipInternals
  readonly #watch = new GhostWatch(graceMs)
  readonly #orphanWatch = new GhostWatch(graceMs)
  readonly #limitSpans: LimitSpans
  readonly #grudges: Grudges
  #swept = 0
  #lateRpcs = 0

  constructor(options: GossipHealthOptions) {
    this.#options = options
    this.gossip = options.gossip
    this.#limitSpans = options.limitSpans ?? new LimitSpans()
    this.#grudges = options.grudges
  }

  get counts(): GossipHealthCounts {
    return { swept: this.#swept, restored: this.#grudges.restored, lateRpcs: this.#lateRpcs }
  }

  get grudges(): number {
    return this.#grudges.size
  }

  start(): void {
    const { gossip } = this
    const restores = [
      replaceMethod(gossip.score, 'addPeer', (add) => (peer) => this.#addPeer(peer, add)),
      replaceMethod(gossip, 'handleReceivedRpc', (handle) => (from, rpc) => {
        if (this.#hasLeft(from)) this.#lateRpcs++
        else return handle(from, rpc)
        return Promise.resolve()
      }),
      replaceMethod(gossip, 'handlePrune', (handle) => (peer, prunes) => handle(peer, this.#boundPrunes(peer, prunes))),
      replaceMethod(gossip, 'handleReceivedSubscription', (handle) => (from, topic, subscribe) => {
        const accepted = handle(from, topic, subscribe)
        if (accepted === false) this.#emitLimit('peerTopicBytes', from.toString(), gossip.maxTopicBytesPerPeer)
        return accepted
      }),
    ]
    this.#options.owner.adopt('gossip health', () => {
      for (const restore of restores) restore()
    })
    this.#options.owner.every(sweepMs, () => this.#trySweep())
  }

  /** Peer ids that gossipsub lists now without a connection. */
  findGhosts(): ReadonlySet<string> {
    return findGhosts(this.gossip, this.#connectedPeers())
  }

  #trySweep(): void {
    try {
      this.#sweep()
    } catch (error) {
      this.#options.onError(error)
    }
  }

  #sweep(): void {
    const now = this.#options.clock.now()
    this.#grudges.expire(now)
    const due = this.#watch.check(this.findGhosts(), now)
    const orphans = this.#orphanWatch.check(findOrphanStreams(this.gossip), now)
    if (due.size > 0) this.#remove(due, now)
    removeStreams(this.gossip, orphans)
  }

  #remove(ids: ReadonlySet<string>, now: number): void {
    const grudgesBefore = this.#grudges.size
    const spans = [...ids].flatMap((id) => this.#noteGrudge(id, now))
    const entries = removePeers(this.gossip, ids)
    this.#swept += ids.size
    const grudges = this.#grudges.size - grudgesBefore
    const hasGhosts = [...entries.keys()].some((table) => !retainedTables.includes(table))
    if (hasGhosts)
      spans.unshift(emitGossipSwept({ peers: [...ids], entries, grudges, remaining: countPeers(this.gossip) }))
    for (const span of spans) this.#options.emitSpan(span)
  }

  #noteGrudge(peer: string, now: number): SpanEffect[] {
    const stats = this.gossip.score.peerStats.get(peer)
    const penalties = stats && penaltiesOf(stats)
    const backoffs = backoffsOf(this.gossip, peer, this.#options.clock)
    return this.#grudges.note(peer, { penalties, penaltiesUntil: now + limits.grudgeMs, backoffs }, now)
  }

  /** Gossipsub forgets the penalties of a peer that returns, and keeps its former address. */
  #addPeer(peer: string, add: (peer: string) => void): void {
    const { score } = this.gossip
    const retained = score.peerStats.get(peer)
    const penalties = retained && penaltiesOf(retained)
    for (const ip of [...(retained?.knownIPs ?? [])]) score.removeIP(peer, ip)
    add(peer)
    const grudge = this.#grudges.take(peer, this.#options.clock.now())
    restoreGrudge(
      this.gossip,
      peer,
      { penalties: penalties ?? grudge?.penalties, backoffs: grudge?.backoffs ?? {} },
      this.#options.clock,
    )
  }

  #hasLeft(peer: PeerId): boolean {
    if (this.gossip.peers.has(peer.toString())) return false
    return this.#options.connectionManager.getConnections(peer).length === 0
  }

  /**
   * Gossipsub ignores all prunes after one for a topic that it has left, and then keeps a mesh that the peer has left.
   * The peer chooses the backoff.
   */
  #boundPrunes(peer: string, prunes: readonly Prune[]): readonly Prune[] {
    const known = prunes.filter(({ topicID }) => topicID !== undefined && this.gossip.mesh.has(topicID))
    return known.map((prune) => {
      if ((prune.backoff ?? 0) <= limits.pruneBackoff) return prune
      this.#emitLimit('pruneBackoff', peer)
      return { ...prune, backoff: limits.pruneBackoff }
    })
  }

  /** Gossipsub is still handling an RPC at this point. */
  #emitLimit(limit: LimitName, peer: string, value?: number): void {
    const { clock, emitSpan } = this.#options
    const spans = this.#limitSpans.emit(limit, 'refused', clock.now(), { peer, value })
    queueMicrotask(() => {
      for (const span of spans) emitSpan(span)
    })
  }

  #connectedPeers(): ReadonlySet<string> {
    return new Set(this.#options.connectionManager.getConnections().map(({ remotePeer }) => remotePeer.toString()))
  }
}
