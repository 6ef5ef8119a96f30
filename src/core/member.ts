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

/** One member and its neighbours, for people. */
export interface TopologyNode {
  readonly peer: string
  readonly name: string
  readonly role: Role
  readonly links: readonly string[]
}

/** A node as its digests tell of it. Times are monotonic milliseconds of this process. */
export interface Member {
  /** The newest one received; its sequence moves on with every "unchanged". */
  digest: Digest
  /** When something newer was received from itself. */
  receivedAt: number
  via: Via
  /** When a digest or its sequence came over a link last, and the interval that was promised there. */
  linkAt: number
  linkIntervalMs: number
  /** When it lived at least, since a member that is linked to this node named it as linked; and that one's interval. */
  vouchedAt: number
  vouchIntervalMs: number
  /** Gone ones are remembered for a while, so that an old digest under way does not bring them back. */
  state: 'member' | 'departed'
  departure: Departure | undefined
  /** Since when it is in this state. */
  since: number
  /** As its digests on links show it. */
  readonly clock: PeerClock
  /** Of its addresses those that did not answer while another did, without peer id; as many as a digest has at most. */
  blocked: readonly string[]
  /** The processes that speak for it: more than one at a time is a copied key. */
  sightings: Sightings
  /**
   * Of the neighbour policy: not dialled before this, after so many failures in a row; when a dial of ours began, and when
   * one was answered; and whether it is being dialled.
   */
  dialAfter: number
  dialledAt: number
  /** When news of it last made this node dial it at once, and how often since it answered a dial. */
  redialAt: number
  redials: number
  isDialling: boolean
  dialFailures: number
  answeredAt: number
}

/** What is newer: the later start of the node, and within one start the later digest. */
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
 * A process that is heard on a link lives; one of a higher version that was silent for so long does not speak for the
 * member any more: the other process of a copied key has ended, or a count of starts went back.
 */
export function outlives(digest: Digest, via: Via, current: Member, now: number): boolean {
  const isOtherInstance = digest.instance !== undefined && digest.instance !== current.digest.instance
  return isOtherInstance && via === 'link' && now - current.receivedAt >= outlivesMs
}

/** A peer chooses the interval of its digests; beyond this much silence it may not stretch its window. Guess. */
const maxWindowMs = 600_000

/** Milliseconds of silence that an interval allows: two digests in a row may be missed. */
function allowedSilenceMs(stalenessMs: number, intervalMs: number): number {
  return Math.max(stalenessMs, Math.min(3 * intervalMs, maxWindowMs))
}

/**
 * Since when a member is silent, and for how many milliseconds it may be: at least `windowMs`, and three intervals of
 * whoever gave the sign of life. That is the member itself, on a link or over gossip; or, for one that has no link here,
 * somebody linked to both, whose list of links loses whoever is silent for `linkSilenceMs`.
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
  return emitSpan('mesh.member.joined', {
    ...memberAttributes(digest),
    'mesh.peer.role': digest.role,
    'mesh.member.via': via,
  })
}

export function emitLeft({ digest }: Member): SpanEffect {
  return emitSpan('mesh.member.left', memberAttributes(digest))
}

export function emitExpired(member: Member, stalenessMs: number, parent: TraceRef, now: number): SpanEffect {
  const { since, allowedMs } = silence(stalenessMs, member)
  const silenceAttributes = { 'mesh.member.silence_ms': Math.round(now - since), 'mesh.member.window_ms': allowedMs }
  return emitSpan('mesh.member.expired', { ...memberAttributes(member.digest), ...silenceAttributes }, { parent })
}

/** Emitted even when nobody was stale: a sweep that stops is a symptom. */
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

function memberAttributes(digest: Digest) {
  return {
    'mesh.peer.id': digest.peer,
    'mesh.peer.name': digest.name,
    'mesh.peer.incarnation': digest.incarnation,
  }
}

/**
 * A member that names new addresses or a new start in every digest makes this node dial them less and less often, until it
 * answers there: the addresses may be somebody else's. Guesses.
 */
const redialIntervalMs = 10_000
const maxRedialIntervalMs = 1_800_000

/** Failures of before say nothing of new addresses or a new start, and a dial under way goes to the old addresses. */
export function allowRedial(member: Member, hasMoved: boolean, now: number): void {
  const sinceMs = now - member.redialAt
  if (sinceMs < Math.min(maxRedialIntervalMs, redialIntervalMs * 2 ** Math.max(0, member.redials - 1))) return
  const redials = sinceMs < maxRedialIntervalMs ? member.redials + 1 : 1
  Object.assign(member, { redialAt: now, redials, dialAfter: now, dialFailures: 0 })
  if (hasMoved) member.isDialling = false
}
