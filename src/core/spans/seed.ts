import { emitSpan, type SpanEffect } from '../../catalogue/span-effect.ts'
import { networkPeer, parseAddress } from '../address.ts'
import { backoffPolicy } from '../backoff.ts'
import type { DialFailure } from '../events.ts'
import type { Seed } from '../seed-dialler.ts'
import type { LinkedPeer } from '../seed-peer.ts'
import type { TraceRef } from '../trace.ts'

/** The root span of a campaign. */
export function emitSeedDial(seed: Seed, root: TraceRef): SpanEffect {
  return emitSpan('mesh.seed.dial', campaignAttributes(seed), { ref: root, parent: null })
}

/** The cause of a later campaign, linked to the campaign `before`. */
export function emitSeedRearmed(seed: Seed, before: TraceRef, now: number): SpanEffect {
  const attributes = { ...campaignAttributes(seed), 'mesh.seed.delay_ms': Math.round(seed.nextAt - now) }
  return emitSpan('mesh.seed.rearmed', attributes, { ...underCampaign(seed), links: [before] })
}

export function emitSeedRetry(seed: Seed, failure: DialFailure, now: number): SpanEffect {
  const attributes = {
    ...attemptAttributes(seed, now),
    ...failureAttributes(failure),
    'mesh.seed.delay_ms': Math.round(seed.nextAt - now),
  }
  return emitSpan('mesh.seed.retry', attributes, { ...underCampaign(seed), since: seed.attemptAt })
}

export function emitSeedGiveup(seed: Seed, failure: DialFailure, now: number): SpanEffect {
  const attributes = { ...attemptAttributes(seed, now), ...failureAttributes(failure) }
  return emitSpan('mesh.seed.giveup', attributes, { ...underCampaign(seed), since: seed.attemptAt })
}

/** `address`: remote address of the connection. */
export function emitSeedConnected(seed: Seed, peer: string, address: string, now: number): SpanEffect {
  const attributes = { ...attemptAttributes(seed, now), 'mesh.peer.id': peer, ...networkPeer(address) }
  return emitSpan('mesh.seed.connected', attributes, { ...underCampaign(seed), since: seed.attemptAt })
}

/** `others`: number of seeds not known to be this node. */
export function emitSeedSelf(seed: Seed, failure: DialFailure, others: number): SpanEffect {
  const attributes = {
    'mesh.seed.address': seed.address,
    'mesh.seed.addresses': failure.addresses,
    'mesh.seed.others': others,
    'mesh.error.message': failure.errorMessage,
  }
  return emitSpan('mesh.seed.self', attributes, underCampaign(seed))
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

function underCampaign(seed: Seed): { parent: TraceRef | null } {
  return { parent: seed.root ?? null }
}

function campaignAttributes(seed: Seed) {
  return {
    'mesh.seed.address': seed.address,
    'mesh.seed.campaign': seed.campaign,
    'mesh.seed.cause': seed.cause,
  }
}

function attemptAttributes(seed: Seed, now: number) {
  return {
    'mesh.seed.address': seed.address,
    'mesh.seed.attempt': seed.attempt,
    'mesh.seed.attempts': backoffPolicy.attempts,
    'mesh.seed.elapsed_ms': Math.round(now - seed.beganAt),
    ...serverAttributes(seed.address),
  }
}

/** Configured host and port of a seed, if its address has them. */
function serverAttributes(address: string) {
  const { host, port } = parseAddress(address)
  return { ...(host !== '' && { 'server.address': host }), ...(port > 0 && { 'server.port': port }) }
}

function failureAttributes(failure: DialFailure) {
  return {
    'mesh.seed.addresses': failure.addresses,
    'mesh.dial.stage': failure.stage,
    'error.type': failure.errorType,
    'mesh.error.message': failure.errorMessage,
    ...networkPeer(failure.address ?? ''),
  }
}
