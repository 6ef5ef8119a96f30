import type { Role } from '../catalogue/roles.ts'
import type { ConnectionLedger } from './connection-ledger.ts'
import type { NetworkEffect } from './events.ts'
import { areSameTexts, type Digest, type IdentityConflict } from './frames.ts'
import { limits } from './limits.ts'
import { isJoined, type Link } from './link.ts'
import type { Machine, Random } from './machine.ts'

export type OwnDigestEvent =
  | { readonly type: 'tick' }
  | { readonly type: 'profile'; readonly topics: readonly string[]; readonly addresses: readonly string[] }
  | { readonly type: 'joined'; readonly peer: string }
  /** A digest of the peer arrived over the link. */
  | { readonly type: 'heard'; readonly peer: string }
  /** A new member should receive the own digest soon. */
  | { readonly type: 'member.discovered' }
  /** The node stops soon. */
  | { readonly type: 'leaving' }

export interface OwnDigestOptions {
  readonly self: string
  readonly name: string
  readonly role: Role
  readonly meshes: readonly string[]
  readonly incarnation: number
  readonly instance: string
  /** Milliseconds between digests on a link, and over gossip. */
  readonly digestMs: number
  readonly gossipDigestMs: number
  /** Longest interval between full digests, so that a peer that released this member learns of it again. */
  readonly stalenessMs: number
  readonly random: Random
}

/** How members know that this node is alive without gossip: all by links, by links or a common neighbour, or not. */
export type Reach = 'linked' | 'vouched' | 'unreached'

/** With every known peer linked, gossip only reaches unknown nodes, for example after a partition. */
const quietFactor = 180
/** With neighbours that vouch for this node, gossip covers losses; three such pauses are the staleness window. */
const vouchedFactor = 6
/** Windows of full-rate gossip after a change: for members that missed it, and until neighbours vouch for this node. */
const newsWindows = 2
const minGossipIntervalMs = 2_000

/** Composes the own digest and schedules it for links and gossip. */
export class OwnDigest implements Machine<OwnDigestEvent, NetworkEffect> {
  readonly #options: OwnDigestOptions
  readonly #ledger: ConnectionLedger
  readonly #reach: () => Reach
  readonly #findConflicts: (now: number) => readonly IdentityConflict[]
  #topics: readonly string[] = []
  #addresses: readonly string[] = []
  #sequence = 0
  #version = 0
  #links: readonly string[] = []
  /** The ledger's list that `#links` is from. */
  #linkedPeers: readonly string[] = []
  /** Conflicts in the last digest, and as text to detect changes. */
  #conflicts: readonly IdentityConflict[] = []
  #conflictsText = '[]'
  #linksAt = 0
  #gossipAt = 0
  #gossipedAt = -Infinity
  #newsAt = -Infinity

  /** Calls `reach` every `digestMs`; it covers all nodes known directly or through others. */
  constructor(
    options: OwnDigestOptions,
    ledger: ConnectionLedger,
    reach: () => Reach,
    findConflicts: (now: number) => readonly IdentityConflict[] = () => [],
  ) {
    this.#findConflicts = findConflicts
    this.#options = options
    this.#ledger = ledger
    this.#reach = reach
  }

  handle(event: OwnDigestEvent, now: number): NetworkEffect[] {
    const version = this.#version
    const effects = this.#handleEvent(event, now)
    if (version !== this.#version || event.type === 'member.discovered' || event.type === 'joined') this.#newsAt = now
    return effects
  }

  #handleEvent(event: OwnDigestEvent, now: number): NetworkEffect[] {
    switch (event.type) {
      case 'profile':
        this.#topics = this.#noteChange(this.#topics, event.topics.slice(0, limits.digestTopics))
        this.#addresses = this.#noteChange(this.#addresses, event.addresses.slice(0, limits.digestAddresses))
        return []
      case 'member.discovered':
        this.#gossipSoon(200 + 800 * this.#options.random(), now)
        return []
      case 'joined':
        this.#gossipSoon(1_000, now)
        return this.#sendToPeer(event.peer, now)
      case 'heard':
        return this.#answerDigest(event.peer, now)
      case 'leaving':
        return this.#gossip({ ...this.#compose(this.#options.gossipDigestMs, now), leaving: true })
      case 'tick':
        return [...this.#sendToLinks(now), ...this.#gossipIfDue(now)]
    }
  }

  deadline(): number {
    return Math.min(this.#linksAt, this.#gossipAt)
  }

  #sendToPeer(peer: string, now: number): NetworkEffect[] {
    const link = this.#ledger.joinedLink(peer)
    return link === undefined ? [] : [this.#sendDigest(link, this.#compose(this.#options.digestMs, now), now)]
  }

  /** The announced addresses of this node. */
  get addresses(): readonly string[] {
    return this.#addresses
  }

  /** A full digest for a connection that is about to close: it informs a second process of an identity of the first. */
  sendFullDigest(connection: string, now: number): NetworkEffect {
    const digest = this.#compose(this.#options.digestMs, now)
    return { do: 'send', connection, frame: { type: 'digest', digest } }
  }

  /**
   * The dialler of a link sets the pace, and the listener answers at once: its digest carries QUIC’s acknowledgement,
   * and both processes wake up once for the two. The listener does not follow a dialler that sends too often.
   */
  #answerDigest(peer: string, now: number): NetworkEffect[] {
    const link = this.#ledger.joinedLink(peer)
    const isDue = link?.info.direction === 'inbound' && now - link.digestSentAt >= this.#options.digestMs / 2
    return isDue ? this.#sendToPeer(peer, now) : []
  }

  #sendToLinks(now: number): NetworkEffect[] {
    if (now < this.#linksAt) return []
    this.#linksAt = now + this.#options.digestMs
    this.#gossipAt = Math.min(this.#gossipAt, this.#gossipedAt + this.#pauseMs(now))
    const due = this.#joinedLinks().filter(
      (link) => link.info.direction === 'outbound' || now - link.digestSentAt >= this.#options.digestMs,
    )
    if (due.length === 0) return []
    const digest = this.#compose(this.#options.digestMs, now)
    return due.map((link) => this.#sendDigest(link, digest, now))
  }

  #sendDigest(link: Link, digest: Digest, now: number): NetworkEffect {
    link.digestSentAt = now
    const isCurrent = link.digestVersion === this.#version && now - link.digestAt < this.#options.stalenessMs
    if (!isCurrent) {
      link.digestVersion = this.#version
      link.digestAt = now
      return { do: 'send', connection: link.connection, frame: { type: 'digest', digest } }
    }
    const { incarnation, sequence } = digest
    return { do: 'send', connection: link.connection, frame: { type: 'unchanged', incarnation, sequence } }
  }

  #gossipIfDue(now: number): NetworkEffect[] {
    if (now < this.#gossipAt) return []
    const { gossipDigestMs, random } = this.#options
    const pauseMs = this.#pauseMs(now)
    this.#gossipAt = now + pauseMs * (0.9 + 0.2 * random())
    this.#gossipedAt = now
    // Linked peers do not judge this node by gossip.
    const digest = this.#compose(Math.min(pauseMs, gossipDigestMs * vouchedFactor), now)
    return this.#gossip(digest)
  }

  #gossip(digest: Digest): NetworkEffect[] {
    return this.#ledger.size === 0 ? [] : this.#options.meshes.map((mesh) => ({ do: 'gossip', mesh, digest }))
  }

  #pauseMs(now: number): number {
    const { gossipDigestMs, stalenessMs } = this.#options
    const reach = this.#reach()
    if (reach === 'linked') return gossipDigestMs * quietFactor
    const hasNews = now - this.#newsAt <= newsWindows * stalenessMs
    return reach === 'unreached' || hasNews ? gossipDigestMs : gossipDigestMs * vouchedFactor
  }

  #gossipSoon(waitMs: number, now: number): void {
    this.#gossipAt = Math.min(this.#gossipAt, Math.max(now + waitMs, this.#gossipedAt + minGossipIntervalMs))
  }

  #compose(intervalMs: number, now: number): Digest {
    const { self, name, role, meshes, incarnation, instance } = this.#options
    this.#noteConflicts(now)
    this.#noteLinks(this.#ledger.linkedPeers)
    const content = { topics: this.#topics, addresses: this.#addresses, links: this.#links }
    const conflicts = this.#conflicts.length === 0 ? {} : { conflicts: this.#conflicts }
    const version = { incarnation, sequence: ++this.#sequence, instance }
    return { peer: self, name, role, meshes, ...version, intervalMs, ...content, ...conflicts, sentAt: 0 }
  }

  #noteLinks(linkedPeers: readonly string[]): void {
    if (linkedPeers === this.#linkedPeers) return
    this.#linkedPeers = linkedPeers
    this.#links = this.#noteChange(this.#links, linkedPeers.slice(0, limits.digestLinks))
  }

  #noteConflicts(now: number): void {
    const conflicts = this.#findConflicts(now).slice(0, limits.digestConflicts)
    if (conflicts.length === 0 && this.#conflicts.length === 0) return
    const text = JSON.stringify(conflicts)
    if (text === this.#conflictsText) return
    this.#conflicts = conflicts
    this.#conflictsText = text
    this.#version++
  }

  /** Returns the current list, and starts a new version if it changed. */
  #noteChange(before: readonly string[], now: readonly string[]): readonly string[] {
    if (areSameTexts(before, now)) return before
    this.#version++
    return now
  }

  #joinedLinks(): Link[] {
    return [...this.#ledger.records()].flatMap(({ links }) => links.filter(isJoined))
  }
}
