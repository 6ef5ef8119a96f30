import { type AttributesOf, type Tell, tell } from '../catalogue/tell.ts'
import type { DialFailure } from './events.ts'
import type { TraceRef } from './trace.ts'

/** `self`: whoever would answer there is this node itself. */
export type SeedState = 'waiting' | 'dialling' | 'connected' | 'given-up' | 'self'
export type SeedCause = AttributesOf<'mesh.seed.dial'>['mesh.seed.cause']

/** One seed and the campaign for it: the one that runs, or the last one. Times are monotonic milliseconds. */
export interface Seed {
  readonly address: string
  state: SeedState
  /** Campaigns so far. */
  campaign: number
  cause: SeedCause
  /** The campaign's `mesh.seed.dial`. */
  root: TraceRef | undefined
  beganAt: number
  endedAt: number
  /** In [0, 1): where this node's waits lie between half of a step and all of it. */
  draw: number
  /** Attempts of this campaign so far. */
  attempt: number
  attemptAt: number
  /** When the next attempt is due; while one is in flight, when it counts as lost. */
  nextAt: number
  /** Who answered last: a seed may come back with another identity. */
  peer: string | undefined
  /** Losses in a row that came soon after the answer. */
  hangups: number
}

/** Due at once: the first tick begins its first campaign. */
export function newSeed(address: string): Seed {
  return {
    address,
    state: 'waiting',
    campaign: 0,
    cause: 'start',
    root: undefined,
    beganAt: 0,
    endedAt: 0,
    draw: 0,
    attempt: 0,
    attemptAt: 0,
    nextAt: 0,
    peer: undefined,
    hangups: 0,
  }
}

/** Root of a campaign; of a later one also how it came to be, linked to the campaign `before`. */
export function tellBegun(seed: Seed, root: TraceRef, before: TraceRef | undefined, now: number): Tell[] {
  const named = {
    'mesh.seed.address': seed.address,
    'mesh.seed.campaign': seed.campaign,
    'mesh.seed.cause': seed.cause,
  }
  const begun = tell('mesh.seed.dial', named, { ref: root, parent: null })
  if (before === undefined) return [begun]
  const delay = { 'mesh.seed.delay_ms': Math.round(seed.nextAt - now) }
  return [begun, tell('mesh.seed.rearmed', { ...named, ...delay }, { parent: root, links: [before] })]
}

export function tellRetry(seed: Seed, failure: DialFailure, now: number): Tell {
  const attributes = {
    ...attempted(seed, now),
    ...failed(failure),
    'mesh.seed.delay_ms': Math.round(seed.nextAt - now),
  }
  return tell('mesh.seed.retry', attributes, { ...under(seed), since: seed.attemptAt })
}

export function tellGiveup(seed: Seed, failure: DialFailure, now: number): Tell {
  const attributes = { ...attempted(seed, now), ...failed(failure) }
  return tell('mesh.seed.giveup', attributes, { ...under(seed), since: seed.attemptAt })
}

export function tellConnected(seed: Seed, peer: string, now: number): Tell {
  return tell('mesh.seed.connected', { ...attempted(seed, now), 'mesh.peer.id': peer }, under(seed))
}

function attempted(seed: Seed, now: number) {
  return {
    'mesh.seed.address': seed.address,
    'mesh.seed.attempt': seed.attempt,
    'mesh.seed.elapsed_ms': Math.round(now - seed.beganAt),
  }
}

function failed(failure: DialFailure) {
  return {
    'mesh.seed.addresses': failure.addresses,
    'mesh.dial.stage': failure.stage,
    'error.type': failure.errorType,
    'error.message': failure.errorMessage,
  }
}

function under(seed: Seed): { parent: TraceRef | null } {
  return { parent: seed.root ?? null }
}
