import { sizeBand } from '../../catalogue/bands.ts'
import { emitSpan, type SpanEffect } from '../../catalogue/span-effect.ts'
import { networkPeer } from '../address.ts'
import type { DialFailure, PathFailure } from '../events.ts'
import type { Digest, IdentityConflict } from '../frames.ts'
import { type Member, silence, type Via } from '../member.ts'
import type { TraceRef } from '../trace.ts'

export function emitMemberJoined({ digest, via }: Member): SpanEffect {
  return emitSpan('mesh.member.joined', { ...describe(digest), 'mesh.member.via': via })
}

/** `via`: how its goodbye arrived. */
export function emitMemberLeft({ digest }: Member, via: Via): SpanEffect {
  return emitSpan('mesh.member.left', { ...describe(digest), 'mesh.member.via': via })
}

export function emitMemberExpired(member: Member, stalenessMs: number, parent: TraceRef, now: number): SpanEffect {
  const { since, allowedMs } = silence(stalenessMs, member)
  const silenceAttributes = { 'mesh.member.silence_ms': Math.round(now - since), 'mesh.member.window_ms': allowedMs }
  return emitSpan('mesh.member.expired', { ...describe(member.digest), ...silenceAttributes }, { parent })
}

/** Emitted even without stale members: missing sweeps are a symptom. */
export function emitStalenessPruned(
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

export function emitClockSkewed({ digest }: Member, skewMs: number, allowedMs: number): SpanEffect {
  return emitSpan('mesh.clock.skewed', {
    'mesh.peer.id': digest.peer,
    'mesh.peer.name': digest.name,
    'mesh.clock.skew_ms': Math.round(skewMs),
    'mesh.clock.allowed_ms': allowedMs,
  })
}

export function emitMemberDialFailed({ digest, dials }: Member, failure: DialFailure, now: number): SpanEffect {
  const attributes = {
    'mesh.peer.id': digest.peer,
    'mesh.peer.name': digest.name,
    'mesh.dial.addresses': failure.addresses,
    'mesh.dial.failures': dials.dialFailures,
    'mesh.dial.delay_ms': Math.round(dials.dialAfter - now),
    'mesh.dial.stage': failure.stage,
    'error.type': failure.errorType,
    'mesh.error.message': failure.errorMessage,
    ...networkPeer(failure.address ?? ''),
  }
  return emitSpan('mesh.member.dial_failed', attributes, { since: dials.dialledAt })
}

function describe(digest: Digest) {
  return {
    'mesh.peer.id': digest.peer,
    'mesh.peer.name': digest.name,
    'mesh.peer.role': digest.role,
    'mesh.peer.incarnation': digest.incarnation,
  }
}

/** `isOwn`: it is the identity of this node. */
export function emitIdentityConflict(
  of: IdentityConflict & { readonly name: string; readonly isOwn: boolean },
): SpanEffect {
  return emitSpan('mesh.identity.conflict', {
    'mesh.peer.id': of.peer,
    'mesh.peer.name': of.name,
    'mesh.identity.instances': of.instances,
    'mesh.identity.addresses': of.addresses,
    'mesh.identity.own': of.isOwn,
  })
}

/** `failure`: that of the first address that became blocked. */
export function emitMemberPathBlocked(member: Member, failure: PathFailure, reachedBy: string): SpanEffect {
  return emitSpan('mesh.path.blocked', {
    ...memberAttributes(member),
    'mesh.path.unreachable': member.blockedAddresses,
    'mesh.path.reached_by': reachedBy,
    'mesh.dial.stage': failure.stage,
    'error.type': failure.errorType,
    'mesh.error.message': failure.errorMessage,
  })
}

export function emitMemberPathRestored(member: Member, restored: readonly string[]): SpanEffect {
  return emitSpan('mesh.path.restored', { ...memberAttributes(member), 'mesh.path.restored': restored })
}

function memberAttributes({ digest }: Member) {
  return { 'mesh.peer.id': digest.peer, 'mesh.peer.name': digest.name }
}
