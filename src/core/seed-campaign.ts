import type { AttributesOf } from '../catalogue/span-effect.ts'
import type { DialFailure } from './events.ts'
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
