import type { Role } from '../catalogue/roles.ts'
import type { Digest } from './frames.ts'
import { linkSilenceMs } from './link-protocol.ts'
import type { PeerClock } from './peer-clock.ts'
import { noSightings, type Sightings } from './sightings.ts'

export type Via = 'link' | 'gossip'
export type Departure = 'left' | 'expired'

/** One member and its neighbours, for display. */
export interface TopologyNode {
  readonly peer: string
  readonly name: string
  readonly role: Role
  readonly links: readonly string[]
}

/** The dials of one member. Times are monotonic milliseconds. */
export class DialRecord {
  /** Earliest next dial; while a dial is in progress, when that counts as failed. */
  dialAfter = 0
  isDialling = false
  /** Start of the last dial. */
  dialledAt = -Infinity
  /** Consecutive failures. */
  dialFailures = 0
  /** Last answer of this start of the member. */
  answeredAt = -Infinity
  /** When a new address or start last allowed an immediate dial, and how often since the last answer. */
  lastRedialAt = -Infinity
  redials = 0
}

/** A node as its digests describe it. Times are monotonic milliseconds of this process. */
export class Member {
  /** The newest digest; every "unchanged" advances its sequence. */
  digest: Digest
  /** When this node last received something newer from the member itself. */
  receivedAt: number
  via: Via
  /** When a digest or "unchanged" last arrived over a link, and the interval that the member announced there. */
  linkAt: number
  linkIntervalMs: number
  /** When it was alive according to a linked neighbour that lists it as linked, and that neighbour's interval. */
  vouchedAt = -Infinity
  vouchIntervalMs = 0
  /** Departed members are retained for a while, so that an old digest in transit does not bring them back. */
  state: 'member' | 'departed' = 'member'
  departure: Departure | undefined
  /** When it entered this state. */
  since: number
  /** Estimated from its digests on links. */
  readonly clock: PeerClock = { samples: [], isOff: false }
  readonly dials = new DialRecord()
  /** Its addresses, without peer id, that did not answer while another did; at most as many as a digest has. */
  blockedAddresses: readonly string[] = []
  /** The processes with its identity; two concurrent ones mean a copied key. */
  sightings: Sightings = noSightings

  constructor(digest: Digest, via: Via, now: number) {
    this.digest = digest
    this.receivedAt = now
    this.via = via
    this.linkAt = via === 'link' ? now : -Infinity
    this.linkIntervalMs = via === 'link' ? digest.intervalMs : 0
    this.since = now
  }
}

/** Orders digests: by start of the node, then by digest within one start. */
export interface Version {
  readonly incarnation: number
  readonly sequence: number
}

export function isNewer(a: Version, b: Version): boolean {
  return a.incarnation > b.incarnation || (a.incarnation === b.incarnation && a.sequence > b.sequence)
}

const outlivesMs = 10_000

/**
 * A digest on a link proves that its process runs. It replaces a silent process even of a higher version: the other
 * process of a copied key has ended, or the start counter was reset.
 */
export function outlives(digest: Digest, via: Via, current: Member, now: number): boolean {
  const isOtherInstance = digest.instance !== undefined && digest.instance !== current.digest.instance
  return isOtherInstance && via === 'link' && now - current.receivedAt >= outlivesMs
}

/** Largest staleness window, since a peer chooses its own digest interval. Guess. */
const maxWindowMs = 600_000

/** Milliseconds of silence that an interval allows: two consecutive digests may be lost. */
function allowedSilenceMs(stalenessMs: number, intervalMs: number): number {
  return Math.max(stalenessMs, Math.min(3 * intervalMs, maxWindowMs))
}

/**
 * When a member's silence began, and how many milliseconds it may last: at least `stalenessMs`, and three intervals of
 * the source of the last sign of life. The source is the member itself, on a link or over gossip; or, for a member
 * without a link here, a common neighbour, whose list of links drops a peer that is silent for `linkSilenceMs`.
 */
export function silence(stalenessMs: number, member: Member): { readonly since: number; readonly allowedMs: number } {
  const { receivedAt, linkAt, linkIntervalMs, vouchedAt, vouchIntervalMs, digest } = member
  const onLinkMs = allowedSilenceMs(stalenessMs, linkIntervalMs)
  if (receivedAt - linkAt < onLinkMs) return { since: receivedAt, allowedMs: onLinkMs }
  const vouchedMs = Math.max(stalenessMs, allowedSilenceMs(0, vouchIntervalMs) + linkSilenceMs)
  if (receivedAt - vouchedAt >= vouchedMs) {
    return { since: receivedAt, allowedMs: allowedSilenceMs(stalenessMs, digest.intervalMs) }
  }
  return { since: Math.max(receivedAt, vouchedAt), allowedMs: vouchedMs }
}
