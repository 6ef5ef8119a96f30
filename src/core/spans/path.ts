import { emitSpan, type SpanEffect } from '../../catalogue/span-effect.ts'
import type { DialFailure, PathFailure } from '../events.ts'
import type { Member } from '../member.ts'
import type { LinkedPeer, Seed } from '../seed-campaign.ts'
import { underCampaign } from './seed.ts'

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

export function emitSeedPathBlocked(seed: Seed, failure: DialFailure, { peer, address }: LinkedPeer): SpanEffect {
  const attributes = {
    'mesh.seed.address': seed.address,
    'mesh.peer.id': peer,
    'mesh.path.unreachable': failure.addresses,
    'mesh.path.reached_by': address,
    'mesh.dial.stage': failure.stage,
    'error.type': failure.errorType,
    'mesh.error.message': failure.errorMessage,
  }
  return emitSpan('mesh.path.blocked', attributes, underCampaign(seed))
}

export function emitSeedPathRestored(seed: Seed, peer: string): SpanEffect {
  const restored = { 'mesh.path.restored': seed.failure?.addresses ?? [seed.address] }
  return emitSpan(
    'mesh.path.restored',
    { 'mesh.seed.address': seed.address, 'mesh.peer.id': peer, ...restored },
    underCampaign(seed),
  )
}

function memberAttributes({ digest }: Member) {
  return { 'mesh.peer.id': digest.peer, 'mesh.peer.name': digest.name }
}
