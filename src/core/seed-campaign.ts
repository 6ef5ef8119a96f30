import { type AttributesOf, emitSpan, type SpanEffect } from '../catalogue/span-effect.ts'
import { parseAddress } from './address.ts'
import type { DialFailure } from './events.ts'
import { networkPeer } from './network-peer.ts'
import type { TraceRef } from './trace.ts'

/**
 * `self`: the address belongs to this node. `linked-elsewhere`: the address does not answer, and its peer is linked
 * through another address.
 */
export type SeedState = 'waiting' | 'dialling' | 'connected' | 'given-up' | 'self' | 'linked-elsewhere'

/** The peer behind a seed's address, and the address through which it is linked. */
export interface LinkedPeer {
  readonly peer: string
  readonly address: string
}
export type SeedCause = AttributesOf<'mesh.seed.dial'>['mesh.seed.cause']

/** One seed and its current or last campaign. Times are monotonic milliseconds. */
export interface Seed {
  readonly address: string
  state: SeedState
  /** Number of campaigns so far. */
  campaign: number
  cause: SeedCause
  /** The campaign's `mesh.seed.dial`. */
  root: TraceRef | undefined
  beganAt: number
  endedAt: number
  /** In [0, 1): position of this node's waits between half of a step and the whole step. */
  jitter: number
  /** Attempts of this campaign so far. */
  attempt: number
  attemptAt: number
  /** When the next attempt is due; during an attempt, when that counts as failed. */
  nextAt: number
  /** The peer that answered last; a seed may come back with another identity. */
  peer: string | undefined
  /** Consecutive losses soon after the answer. */
  hangups: number
  /** Failure of the last attempt of this campaign. */
  failure: DialFailure | undefined
  /** Last reported problem of its path, to emit one span per change; empty without a problem. */
  reportedBlock: string
  /** Whether `mesh.seed.self` was emitted. */
  isSelfReported: boolean
}

/** A new seed is due at once: the first tick starts its first campaign. */
export function newSeed(address: string): Seed {
  return {
    address,
    state: 'waiting',
    campaign: 0,
    cause: 'start',
    root: undefined,
    beganAt: 0,
    endedAt: 0,
    jitter: 0,
    attempt: 0,
    attemptAt: 0,
    nextAt: 0,
    peer: undefined,
    hangups: 0,
    failure: undefined,
    reportedBlock: '',
    isSelfReported: false,
  }
}

/** The root span of a campaign; for a later campaign also its cause, linked to the campaign `before`. */
export function emitCampaign(seed: Seed, root: TraceRef, before: TraceRef | undefined, now: number): SpanEffect[] {
  const attributes = {
    'mesh.seed.address': seed.address,
    'mesh.seed.campaign': seed.campaign,
    'mesh.seed.cause': seed.cause,
  }
  const campaignSpan = emitSpan('mesh.seed.dial', attributes, { ref: root, parent: null })
  if (before === undefined) return [campaignSpan]
  const delay = { 'mesh.seed.delay_ms': Math.round(seed.nextAt - now) }
  return [campaignSpan, emitSpan('mesh.seed.rearmed', { ...attributes, ...delay }, { parent: root, links: [before] })]
}

export function emitRetry(seed: Seed, failure: DialFailure, now: number): SpanEffect {
  const attributes = {
    ...attemptAttributes(seed, now),
    ...failureAttributes(failure),
    'mesh.seed.delay_ms': Math.round(seed.nextAt - now),
  }
  return emitSpan('mesh.seed.retry', attributes, { ...underCampaign(seed), since: seed.attemptAt })
}

export function emitGiveup(seed: Seed, failure: DialFailure, now: number): SpanEffect {
  const attributes = { ...attemptAttributes(seed, now), ...failureAttributes(failure) }
  return emitSpan('mesh.seed.giveup', attributes, { ...underCampaign(seed), since: seed.attemptAt })
}

/** `address`: remote address of the connection. */
export function emitConnected(seed: Seed, peer: string, address: string, now: number): SpanEffect {
  const attributes = { ...attemptAttributes(seed, now), 'mesh.peer.id': peer, ...networkPeer(address) }
  return emitSpan('mesh.seed.connected', attributes, { ...underCampaign(seed), since: seed.attemptAt })
}

/** `others`: number of seeds not known to be this node. */
export function emitSelf(seed: Seed, failure: DialFailure, others: number): SpanEffect {
  const attributes = {
    'mesh.seed.address': seed.address,
    'mesh.seed.addresses': failure.addresses,
    'mesh.seed.others': others,
    'mesh.error.message': failure.errorMessage,
  }
  return emitSpan('mesh.seed.self', attributes, underCampaign(seed))
}

export function emitBlocked(seed: Seed, failure: DialFailure, { peer, address }: LinkedPeer): SpanEffect {
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

export function emitRestored(seed: Seed, peer: string): SpanEffect {
  const restored = { 'mesh.path.restored': seed.failure?.addresses ?? [seed.address] }
  return emitSpan(
    'mesh.path.restored',
    { 'mesh.seed.address': seed.address, 'mesh.peer.id': peer, ...restored },
    underCampaign(seed),
  )
}

function attemptAttributes(seed: Seed, now: number) {
  return {
    'mesh.seed.address': seed.address,
    'mesh.seed.attempt': seed.attempt,
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

function underCampaign(seed: Seed): { parent: TraceRef | null } {
  return { parent: seed.root ?? null }
}
