import type { Role } from '../catalogue/roles.ts'
import type { ConnectionLedger } from './connection-ledger.ts'
import type { NetworkEffect } from './events.ts'
import type { Digest, IdentityConflict } from './frames.ts'
import { limits } from './limits.ts'
import { isJoined, type Link } from './link.ts'
import type { Machine, Random } from './machine.ts'

export type OwnDigestEvent =
  | { readonly type: 'tick' }
  | { readonly type: 'profile'; readonly topics: readonly string[]; readonly addresses: readonly string[] }
  | { readonly type: 'joined'; readonly peer: string }
  /** A digest of the peer came over the link. */
  | { readonly type: 'heard'; readonly peer: string }
  /** Somebody heard of for the first time should hear of us soon. */
  | { readonly type: 'member.discovered' }

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
  /** A digest goes out in full at least this often, so that whoever forgot it learns it again. */
  readonly stalenessMs: number
  readonly random: Random
}

/** How this node can be known to live without its gossip: to all by links, or by links and word of a common neighbour. */
export type Reach = 'linked' | 'vouched' | 'unreached'

/** With every known peer linked, gossip only serves those nobody has heard of; a partition that healed, say. */
const quietFactor = 180
/** With neighbours who vouch for us, gossip makes up for what was lost; three of these pauses are the staleness window. */
const vouchedFactor = 6
/** News are gossiped at the full rate for so many windows: for whoever missed some, and until we are vouched for. */
const newsWindows = 2
const minGossipIntervalMs = 2_000

/** What this node says of itself, to whom and when. */
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
  /** As last said, and as text: a change makes the digest a new one. */
  #conflicts: readonly IdentityConflict[] = []
  #conflictsText = '[]'
  #linksAt = 0
  #gossipAt = 0
  #gossipedAt = -Infinity
  #newsAt = -Infinity

  /** `reach` is asked every `digestMs`, of all nodes that are known by themselves or through others. */
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

  /** Addresses that this node can be dialled at, as others are told. */
  get addresses(): readonly string[] {
    return this.#addresses
  }

  /** In full, to a connection that is about to be closed: it tells a second process of an identity about the first. */
  sendFullDigest(connection: string, now: number): NetworkEffect {
    const digest = this.#compose(this.#options.digestMs, now)
    return { do: 'send', connection, frame: { type: 'digest', digest } }
  }

  /**
   * The dialler of a link sets its pace and the listener answers at once: its digest carries QUIC’s acknowledgement, and
   * both processes wake once for the two. A dialler in haste is not followed.
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
    const { gossipDigestMs, random, meshes } = this.#options
    const pauseMs = this.#pauseMs(now)
    this.#gossipAt = now + pauseMs * (0.9 + 0.2 * random())
    this.#gossipedAt = now
    if (this.#ledger.size === 0) return []
    // Whoever has a link to us does not judge us by gossip.
    const digest = this.#compose(Math.min(pauseMs, gossipDigestMs * vouchedFactor), now)
    return meshes.map((mesh) => ({ do: 'gossip', mesh, digest }))
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
    const linkedPeers = [...this.#ledger.records()]
      .filter((record) => record.links.some(isJoined))
      .map(({ peer }) => peer)
    this.#links = this.#noteChange(this.#links, linkedPeers.slice(0, limits.digestLinks))
    const content = { topics: this.#topics, addresses: this.#addresses, links: this.#links }
    const conflicts = this.#conflicts.length === 0 ? {} : { conflicts: this.#conflicts }
    const version = { incarnation, sequence: ++this.#sequence, instance }
    return { peer: self, name, role, meshes, ...version, intervalMs, ...content, ...conflicts, sentAt: 0 }
  }

  #noteConflicts(now: number): void {
    const conflicts = this.#findConflicts(now).slice(0, limits.digestConflicts)
    const text = JSON.stringify(conflicts)
    if (text === this.#conflictsText) return
    this.#conflicts = conflicts
    this.#conflictsText = text
    this.#version++
  }

  /** What is to be said now; a new version when it is not what was said before. */
  #noteChange(before: readonly string[], now: readonly string[]): readonly string[] {
    if (before.length === now.length && before.every((text, index) => text === now[index])) return before
    this.#version++
    return now
  }

  #joinedLinks(): Link[] {
    return [...this.#ledger.records()].flatMap(({ links }) => links.filter(isJoined))
  }
}
