import { sizeBand } from '../catalogue/bands.ts'
import type { Role } from '../catalogue/roles.ts'
import { emitSpan, type SpanEffect } from '../catalogue/span-effect.ts'
import type { Digest } from './frames.ts'
import { linkSilenceMs } from './link-protocol.ts'
import type { PeerClock } from './peer-clock.ts'
import { noSightings, type Sightings } from './sightings.ts'
import type { TraceRef } from './trace.ts'

export type Via = 'link' | 'gossip'
export type Departure = 'left' | 'expired'

/** One member and its neighbours, for display. */
export interface TopologyNode {
  readonly peer: string
  readonly name: string
  readonly role: Role
  readonly links: readonly string[]
}

/** A node as its digests describe it. Times are monotonic milliseconds of this process. */
export interface Member {
  /** The newest digest; every "unchanged" advances its sequence. */
  digest: Digest
  /** When this node last received something newer from the member itself. */
  receivedAt: number
  via: Via
  /** When a digest or "unchanged" last arrived over a link, and the interval that the member announced there. */
  linkAt: number
  linkIntervalMs: number
  /** When it was alive according to a linked neighbour that lists it as linked, and that neighbour's interval. */
  vouchedAt: number
  vouchIntervalMs: number
  /** Departed members are retained for a while, so that an old digest in transit does not bring them back. */
  state: 'member' | 'departed'
  departure: Departure | undefined
  /** When it entered this state. */
  since: number
  /** Estimated from its digests on links. */
  readonly clock: PeerClock
  /** Its addresses, without peer id, that did not answer while another did; at most as many as a digest has. */
  blocked: readonly string[]
  /** The processes with its identity; two concurrent ones mean a copied key. */
  sightings: Sightings
  /**
   * State of the neighbour policy: earliest next dial, start of the last dial, consecutive failures, last answer, and
   * whether a dial is in progress.
   */
  dialAfter: number
  dialledAt: number
  /** When a new address or start last allowed an immediate dial, and how often since the last answer. */
  redialAt: number
  redials: number
  isDialling: boolean
  dialFailures: number
  answeredAt: number
}

/** Orders digests: by start of the node, then by digest within one start. */
export interface Version {
  readonly incarnation: number
  readonly sequence: number
}

export function newMember(digest: Digest, via: Via, now: number): Member {
  return {
    digest,
    receivedAt: now,
    via,
    ...(via === 'link' ? { linkAt: now, linkIntervalMs: digest.intervalMs } : { linkAt: -Infinity, linkIntervalMs: 0 }),
    vouchedAt: -Infinity,
    vouchIntervalMs: 0,
    state: 'member',
    departure: undefined,
    since: now,
    clock: { samples: [], isOff: false },
    blocked: [],
    sightings: noSightings,
    dialAfter: 0,
    dialledAt: -Infinity,
    redialAt: -Infinity,
    redials: 0,
    isDialling: false,
    dialFailures: 0,
    answeredAt: -Infinity,
  }
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

export function emitJoined({ digest, via }: Member): SpanEffect {
  return emitSpan('mesh.member.joined', { ...describe(digest), 'mesh.member.via': via })
}

export function emitLeft({ digest }: Member): SpanEffect {
  return emitSpan('mesh.member.left', describe(digest))
}

export function emitExpired(member: Member, stalenessMs: number, parent: TraceRef, now: number): SpanEffect {
  const { since, allowedMs } = silence(stalenessMs, member)
  const silenceAttributes = { 'mesh.member.silence_ms': Math.round(now - since), 'mesh.member.window_ms': allowedMs }
  return emitSpan('mesh.member.expired', { ...describe(member.digest), ...silenceAttributes }, { parent })
}

/** Emitted even without stale members: missing sweeps are a symptom. */
export function emitPruned(
  stale: readonly Member[],
  remaining: number,
  isSuspended: boolean,
  ref: TraceRef,
  parent: TraceRef,
): SpanEffect {
  return emitSpan(
    'mesh.staleness.pruned',
    {
      'mesh.pruned.count': stale.length,
      'mesh.pruned.peers': stale.slice(0, 32).map(({ digest }) => digest.peer),
      'mesh.pruned.remaining': remaining,
      'mesh.pruned.remaining_band': sizeBand(remaining),
      'mesh.pruned.suspended': isSuspended,
    },
    { ref, parent },
  )
}

export function emitSkewed({ digest }: Member, skewMs: number, allowedMs: number): SpanEffect {
  return emitSpan('mesh.clock.skewed', {
    'mesh.peer.id': digest.peer,
    'mesh.peer.name': digest.name,
    'mesh.clock.skew_ms': Math.round(skewMs),
    'mesh.clock.allowed_ms': allowedMs,
  })
}

function describe(digest: Digest) {
  return {
    'mesh.peer.id': digest.peer,
    'mesh.peer.name': digest.name,
    'mesh.peer.role': digest.role,
    'mesh.peer.incarnation': digest.incarnation,
  }
}

/**
 * Backoff for a member that announces new addresses or a new start in every digest, until it answers: the addresses may
 * belong to others. Guesses.
 */
const redialIntervalMs = 10_000
const maxRedialIntervalMs = 1_800_000

/** Earlier failures do not apply to new addresses or a new start, and a pending dial uses the old addresses. */
export function allowRedial(member: Member, hasMoved: boolean, now: number): void {
  const sinceMs = now - member.redialAt
  if (sinceMs < Math.min(maxRedialIntervalMs, redialIntervalMs * 2 ** Math.max(0, member.redials - 1))) return
  const redials = sinceMs < maxRedialIntervalMs ? member.redials + 1 : 1
  Object.assign(member, { redialAt: now, redials, dialAfter: now, dialFailures: 0 })
  if (hasMoved) member.isDialling = false
}
