import type { SpanEffect } from '../catalogue/span-effect.ts'
import { areSameTexts, type Digest, instanceOf } from './frames.ts'
import { LimitSpans } from './limit-spans.ts'
import { limits } from './limits.ts'
import { linkSilenceMs } from './link-protocol.ts'
import type { Machine, Random } from './machine.ts'
import { type Departure, isNewer, Member, outlives, silence, type TopologyNode, type Via } from './member.ts'
import type { OwnedMap } from './owned-map.ts'
import type { Owner } from './owner.ts'
import { judgeClock } from './peer-clock.ts'
import { noteSighting, noteStop, type SightingReport } from './sightings.ts'
import {
  emitClockSkewed,
  emitMemberExpired,
  emitMemberJoined,
  emitMemberLeft,
  emitStalenessPruned,
} from './spans/member.ts'
import { childOf, type TraceRef } from './trace.ts'

export type ViewEvent =
  /** `wall`: this node's wall clock at receipt, Unix milliseconds. */
  | { readonly type: 'digest'; readonly digest: Digest; readonly via: Via; readonly wall: number }
  /** The peer's last digest is still valid. */
  | { readonly type: 'unchanged'; readonly peer: string; readonly incarnation: number; readonly sequence: number }
  /** This node received something from a process with this peer's identity. */
  | { readonly type: 'sighted'; readonly peer: string; readonly report: SightingReport }
  /** The peer sent a goodbye because it stops. */
  /** Its goodbye, over the link or over gossip. */
  | {
      readonly type: 'left'
      readonly peer: string
      readonly incarnation: number
      readonly instance?: string
      readonly via: Via
    }
  | { readonly type: 'tick'; readonly window: TraceRef }
  /** This process was suspended: until then it cannot distinguish a peer's silence from its own. */
  | { readonly type: 'stalled'; readonly untilMs: number }

export type ViewEffect =
  | SpanEffect
  | { readonly do: 'joined'; readonly peer: string }
  /** A retained member started again or came back, or announces addresses that it did not announce before. */
  | { readonly do: 'renewed'; readonly peer: string; readonly hasRestarted: boolean; readonly hasMoved: boolean }

export interface ViewOptions {
  readonly self: string
  /** Shortest staleness window, in milliseconds of silence. */
  readonly stalenessMs: number
  readonly sweepMs: number
  /** Tolerated clock skew of a peer. */
  readonly skewAllowedMs: number
  readonly random: Random
  readonly capacity?: number
  /** Shared by the machines of a node. */
  readonly limitSpans?: LimitSpans
}

/** Retention of departed members, in staleness windows: longer than a digest can be in transit. Guess. */
const retentionWindows = 4

/**
 * The newest digest of every node of the mesh.
 *
 * Merging digests is idempotent, commutative and associative: only the highest (incarnation, sequence) counts,
 * regardless of order and repetition. A member's silence starts when this node last received something newer from it,
 * or from a neighbour that has a link to it. Neither a relayed old digest nor the sender's clock keeps a member alive.
 */
export class DigestView implements Machine<ViewEvent, ViewEffect> {
  readonly #options: ViewOptions
  readonly #members: OwnedMap<string, Member>
  #sweepAt: number | undefined
  #suspendedUntil = -Infinity
  #sweeps = 0
  #conflictPeers: readonly string[] = []
  #topologyVersion = 0
  readonly #limits: LimitSpans

  constructor(owner: Owner, options: ViewOptions) {
    this.#options = options
    this.#limits = options.limitSpans ?? new LimitSpans()
    this.#members = owner.map<string, Member>({
      name: 'members',
      capacity: options.capacity ?? limits.members,
      expiry: { event: `${retentionWindows} windows after it left or expired` },
      release: (_, peer) => this.#listConflict(peer, false),
    })
  }

  handle(event: ViewEvent, now: number): ViewEffect[] {
    switch (event.type) {
      case 'digest':
        return this.#merge(event.digest, event.via, event.wall, now)
      case 'unchanged':
        this.#refresh(event, now)
        return []
      case 'left':
        return this.#onLeft(event, now)
      case 'sighted':
        return this.#onSighted(event, now)
      case 'tick':
        return this.#tick(event.window, now)
      case 'stalled':
        this.#suspendedUntil = Math.max(this.#suspendedUntil, event.untilMs)
        return []
    }
  }

  /** The first tick starts the sweep interval, so it is due at once. */
  deadline(): number {
    return this.#sweepAt ?? 0
  }

  get sweeps(): number {
    return this.#sweeps
  }

  members(): Member[] {
    return [...this.#members.values()].filter(isMember)
  }

  /** Includes departed members that are still retained; see `state`. */
  get(peer: string): Member | undefined {
    return this.#members.get(peer)
  }

  /** When a member was last known to be alive, by its own messages or a neighbour’s. */
  aliveAt(member: Member): number {
    return silence(this.#options.stalenessMs, member).since
  }

  /** Includes departed members. */
  records(): Iterable<Member> {
    return this.#members.values()
  }

  /** Changes whenever a member comes or goes, or any of them names other links or meshes. */
  get topologyVersion(): number {
    return this.#topologyVersion
  }

  /** Members as which two processes run, or ran lately: few, so that a digest need not search all members for them. */
  contested(): Member[] {
    return this.#conflictPeers.flatMap((peer) => this.#members.get(peer) ?? [])
  }

  topology(): TopologyNode[] {
    return this.members().map(({ digest: { peer, name, role, links } }) => ({ peer, name, role, links }))
  }

  /** Peer ids of each topic's subscribers. */
  topics(): ReadonlyMap<string, readonly string[]> {
    const listeners = new Map<string, string[]>()
    for (const { digest } of this.members()) {
      for (const topic of new Set(digest.topics)) {
        const peers = listeners.get(topic)
        if (peers === undefined) listeners.set(topic, [digest.peer])
        else peers.push(digest.peer)
      }
    }
    return listeners
  }

  #merge(digest: Digest, via: Via, wall: number, now: number): ViewEffect[] {
    if (digest.peer === this.#options.self) return []
    const member = this.#members.get(digest.peer)
    if (member === undefined) return this.#admit(digest, via, wall, now)
    if (!isNewer(digest, member.digest) && !outlives(digest, via, member, now)) return []
    const hasRestarted = digest.incarnation > member.digest.incarnation || member.state === 'departed'
    const hasMoved = digest.addresses.some((one) => !member.digest.addresses.includes(one))
    if (!areSameTexts(digest.links, member.digest.links) || !areSameTexts(digest.meshes, member.digest.meshes))
      this.#topologyVersion++
    member.digest = digest
    member.via = via
    member.receivedAt = now
    if (via === 'link') {
      member.linkAt = now
      member.linkIntervalMs = digest.intervalMs
    }
    this.#members.touch(digest.peer, now)
    const skew = this.#compareClocks(member, wall, now)
    const { peer } = digest
    const renewed: ViewEffect[] = hasRestarted || hasMoved ? [{ do: 'renewed', peer, hasRestarted, hasMoved }] : []
    if (isMember(member)) return [...renewed, ...skew]
    member.state = 'member'
    member.departure = undefined
    member.since = now
    this.#topologyVersion++
    return [...renewed, emitMemberJoined(member), { do: 'joined', peer }, ...skew]
  }

  #admit(digest: Digest, via: Via, wall: number, now: number): ViewEffect[] {
    const effects = this.#makeRoom(digest.peer, now)
    if (this.#members.size >= this.#members.spec.capacity) return effects
    const member = new Member(digest, via, now)
    this.#members.set(digest.peer, member, now)
    this.#topologyVersion++
    return [
      ...effects,
      emitMemberJoined(member),
      { do: 'joined', peer: digest.peer },
      ...this.#compareClocks(member, wall, now),
    ]
  }

  /** A full view evicts the member that departed first; it never evicts a live one. */
  #makeRoom(peer: string, now: number): ViewEffect[] {
    const { capacity } = this.#members.spec
    if (this.#members.size < capacity) return []
    const departed = [...this.#members.values()].filter((member) => !isMember(member))
    const oldest = departed.reduce<Member | undefined>(
      (a, b) => (a === undefined || b.since < a.since ? b : a),
      undefined,
    )
    if (oldest === undefined) return this.#limits.emit('members', 'refused', now, { peer, value: capacity })
    const evicted = oldest.digest.peer
    this.#members.delete(evicted)
    return this.#limits.emit('members', 'evicted', now, { peer: evicted, value: capacity })
  }

  /** On links only: gossip delays digests, which would look like clock skew. */
  #compareClocks(member: Member, wall: number, now: number): ViewEffect[] {
    if (member.via !== 'link') return []
    const { skewAllowedMs } = this.#options
    const skewMs = judgeClock(member.clock, member.digest.sentAt - wall, skewAllowedMs, now)
    return skewMs === undefined ? [] : [emitClockSkewed(member, skewMs, skewAllowedMs)]
  }

  #refresh(event: Extract<ViewEvent, { readonly type: 'unchanged' }>, now: number): void {
    const member = this.#members.get(event.peer)
    if (member === undefined || !isMember(member)) return
    const { digest } = member
    if (event.incarnation !== digest.incarnation || event.sequence <= digest.sequence) return
    member.digest = { ...digest, sequence: event.sequence }
    member.receivedAt = now
    member.linkAt = now
    this.#members.touch(event.peer, now)
  }

  #onSighted({ peer, report }: Extract<ViewEvent, { readonly type: 'sighted' }>, now: number): ViewEffect[] {
    const member = this.#members.get(peer)
    if (member === undefined) return []
    const effects = noteSighting(member, report, now)
    this.#listConflict(peer, member.sightings.conflict !== undefined)
    return effects
  }

  #listConflict(peer: string, isContested: boolean): void {
    if (this.#conflictPeers.includes(peer) === isContested) return
    const others = this.#conflictPeers.filter((one) => one !== peer)
    this.#conflictPeers = isContested ? [...others, peer] : others
  }

  /** Ignores the goodbye of an earlier incarnation, or of one of two processes: another process still runs. */
  #onLeft(event: Extract<ViewEvent, { readonly type: 'left' }>, now: number): ViewEffect[] {
    const { peer, incarnation } = event
    const member = this.#members.get(peer)
    if (member === undefined) return []
    const isContested = noteStop(member, instanceOf(event), now)
    this.#listConflict(peer, member.sightings.conflict !== undefined)
    if (isContested) return []
    if (!isMember(member) || incarnation < member.digest.incarnation) return []
    // A copied key file brings its start count along. This node may have heard of one of the two processes alone.
    const isOther = incarnation === member.digest.incarnation && instanceOf(event) !== instanceOf(member.digest)
    if (isOther) return []
    // Late digests of this incarnation may arrive over gossip after the goodbye; the highest sequence rejects them.
    member.digest = { ...member.digest, incarnation, sequence: Number.MAX_SAFE_INTEGER }
    this.#depart(member, 'left', now)
    return [emitMemberLeft(member, event.via)]
  }

  #depart(member: Member, departure: Departure, now: number): void {
    member.state = 'departed'
    member.departure = departure
    member.since = now
    this.#topologyVersion++
  }

  #tick(window: TraceRef, now: number): ViewEffect[] {
    const { sweepMs } = this.#options
    this.#sweepAt ??= now + sweepMs
    if (now < this.#sweepAt) return []
    const next = this.#sweepAt + sweepMs
    this.#sweepAt = next > now ? next : now + sweepMs
    return this.#sweep(window, now)
  }

  /** Emits a span even without stale members: missing sweeps are a symptom. */
  #sweep(window: TraceRef, now: number): ViewEffect[] {
    this.#sweeps++
    const isSuspended = now < this.#suspendedUntil
    const ref = childOf(window, this.#options.random)
    this.#applyVouching()
    const stale = isSuspended ? [] : this.members().filter((member) => this.#isStale(member, now))
    const expired = stale.map((member) => {
      this.#depart(member, 'expired', now)
      return emitMemberExpired(member, this.#options.stalenessMs, ref, now)
    })
    if (!isSuspended) this.#releaseDeparted(now)
    const remaining = this.members().length
    const pruned = emitStalenessPruned(stale, remaining, isSuspended, ref, window)
    return [pruned, ...expired]
  }

  #releaseDeparted(now: number): void {
    for (const [peer, member] of this.#members) {
      if (isMember(member)) continue
      const { allowedMs } = silence(this.#options.stalenessMs, member)
      if (now - member.since <= retentionWindows * allowedMs) continue
      this.#members.delete(peer, 'expired')
    }
  }

  /** A linked member vouches for the peers in its list of links: it heard from each within `linkSilenceMs`. */
  #applyVouching(): void {
    for (const { digest, linkAt, linkIntervalMs } of this.members()) {
      const vouchedAt = linkAt - linkSilenceMs
      for (const peer of digest.links) {
        const linkedMember = this.#members.get(peer)
        if (linkedMember === undefined || vouchedAt <= linkedMember.vouchedAt) continue
        linkedMember.vouchedAt = vouchedAt
        linkedMember.vouchIntervalMs = linkIntervalMs
      }
    }
  }

  #isStale(member: Member, now: number): boolean {
    const { since, allowedMs } = silence(this.#options.stalenessMs, member)
    return now - since > allowedMs
  }
}

const isMember = ({ state }: Member) => state === 'member'
