import type { AttributesOf, SpanEffect } from '../catalogue/span-effect.ts'
import { backoffPolicy, nextAttemptAt, redialAt, restUntil } from './backoff.ts'
import { MeshError } from './errors.ts'
import type { DialFailure, NetworkEffect, NetworkEvent } from './events.ts'
import { limits } from './limits.ts'
import type { Machine, Random } from './machine.ts'
import type { LinkedPeer } from './seed-peer.ts'
import {
  emitSeedConnected,
  emitSeedDial,
  emitSeedGiveup,
  emitSeedPathBlocked,
  emitSeedPathRestored,
  emitSeedRearmed,
  emitSeedRetry,
  emitSeedSelf,
} from './spans/seed.ts'
import { newTrace, type TraceRef } from './trace.ts'

/**
 * `self`: the address belongs to this node. `linked-elsewhere`: the address does not answer, and its peer is linked
 * through another address.
 */
export type SeedState = 'waiting' | 'dialling' | 'connected' | 'given-up' | 'self' | 'linked-elsewhere'

export type SeedCause = AttributesOf<'mesh.seed.dial'>['mesh.seed.cause']

/** One seed and its current or last campaign; due at once when new. Times are monotonic milliseconds. */
export class Seed {
  readonly address: string
  state: SeedState = 'waiting'
  /** Number of campaigns so far. */
  campaign = 0
  cause: SeedCause = 'start'
  /** The campaign's `mesh.seed.dial`. */
  root: TraceRef | undefined
  beganAt = 0
  endedAt = 0
  /** In [0, 1): position of this node's delays between half of a step and the whole step. */
  jitter = 0
  /** Attempts of this campaign so far. */
  attempt = 0
  attemptAt = 0
  /** When the next attempt is due; during an attempt, when that counts as failed. */
  nextAt = 0
  /** The peer that answered last; a seed may come back with another identity. */
  peer: string | undefined
  /** Consecutive losses soon after the answer. */
  hangups = 0
  /** Failure of the last attempt of this campaign. */
  failure: DialFailure | undefined
  /** Last reported problem of its path, to emit one span per change; empty without a problem. */
  reportedBlock = ''
  /** Whether `mesh.seed.self` was emitted. */
  isSelfReported = false

  constructor(address: string) {
    this.address = address
  }
}

export type SeedEvent =
  | { readonly type: 'tick' }
  | Extract<NetworkEvent, { readonly type: 'seed.answered' }>
  /** `linked`: the peer behind the seed's address, if it is known and linked through another address. */
  | (Extract<NetworkEvent, { readonly type: 'seed.failed' }> & { readonly linked?: LinkedPeer | undefined })
  /** Number of connected peers, guests included, after a change. */
  | { readonly type: 'peers'; readonly count: number }
  /** The last direct connection to a peer closed. */
  | { readonly type: 'disconnected'; readonly peer: string }

export type SeedEffect = Extract<NetworkEffect, { readonly do: 'dial.seed' }> | SpanEffect

export interface SeedOptions {
  readonly random: Random
  /**
   * Samples the jitter in [0, 1) of this node's delays; `random` by default. A node that knows the other nodes can use
   * (rank + random) / nodes, so that their delays spread evenly.
   */
  readonly sampleJitter?: Random
}

/** One seed, for display. */
export interface SeedView extends Readonly<Pick<Seed, 'address' | 'state' | 'attempt' | 'campaign' | 'peer'>> {
  /** Monotonic milliseconds of the next attempt; undefined while connected or dialling. */
  readonly nextAt: number | undefined
}

type Answer = Extract<SeedEvent, { readonly type: 'seed.answered' }>

/** Error type of a dial whose addresses all belong to this node. */
const selfDial = 'SelfDial'

/**
 * Dials each seed until it answers, and again after a loss.
 *
 * A campaign has at most ten attempts with growing delays between them; then the node gives the seed up. Without peers
 * it continues with one attempt every 30 s; with peers it starts a new campaign every five minutes. The loss of the
 * last peer, or of the seed itself, starts a campaign shortly after. Every campaign is a trace of its own.
 *
 * If all nodes have the same list, one of the seeds is the node itself: it emits that once, and the seed rests. The
 * name may resolve to other nodes later, so the node dials it again as rarely as a seed that was given up.
 *
 * A seed whose peer is linked through another address needs no campaign: the node emits once that the address does not
 * answer, and the seed rests likewise.
 */
export class SeedDialler implements Machine<SeedEvent, SeedEffect> {
  readonly #random: Random
  readonly #sampleJitter: Random
  /** Fixed when the node starts. */
  readonly #seeds: readonly Seed[]
  #isAlone = true

  /** Ignores duplicate seeds. Throws MESH_LIMIT_REACHED for more than `limits.seeds`. */
  constructor(seeds: readonly string[], options: SeedOptions) {
    const distinct = [...new Set(seeds)]
    if (distinct.length > limits.seeds)
      throw new MeshError('MESH_LIMIT_REACHED', { limit: 'seeds', value: limits.seeds })
    this.#random = options.random
    this.#sampleJitter = options.sampleJitter ?? options.random
    this.#seeds = distinct.map((seed) => new Seed(seed))
  }

  handle(event: SeedEvent, now: number): SeedEffect[] {
    switch (event.type) {
      case 'tick':
        return this.#seeds.flatMap((seed) => [...this.#timeOutAttempt(seed, now), ...this.#dialIfDue(seed, now)])
      case 'seed.answered':
        return this.#seedsInFlight(event.seed).flatMap((seed) => this.#onAnswered(seed, event, now))
      case 'seed.failed':
        return this.#seedsInFlight(event.seed).flatMap((seed) => this.#onFailed(seed, event.failure, now, event.linked))
      case 'peers':
        return this.#onPeerCount(event.count === 0, now)
      case 'disconnected':
        return this.#seeds
          .filter((seed) => isReached(seed) && seed.peer === event.peer)
          .flatMap((seed) => this.#onLost(seed, now))
    }
  }

  deadline(): number {
    return this.#seeds.reduce((soonest, seed) => Math.min(soonest, seed.nextAt), Infinity)
  }

  seeds(): SeedView[] {
    return this.#seeds.map(({ address, state, attempt, campaign, nextAt, peer }) => {
      const isScheduled = state !== 'connected' && state !== 'dialling'
      return { address, state, attempt, campaign, nextAt: isScheduled ? nextAt : undefined, peer }
    })
  }

  /** Results count only during an attempt: a later one belongs to an attempt that already counted as failed. */
  #seedsInFlight(address: string): Seed[] {
    return this.#seeds.filter((seed) => seed.address === address && seed.state === 'dialling')
  }

  #dialIfDue(seed: Seed, now: number): SeedEffect[] {
    if (seed.state === 'connected' || seed.state === 'dialling' || seed.nextAt > now) return []
    const spans = seed.state === 'given-up' || seed.campaign === 0 ? this.#begin(seed, this.#cause(seed), now, now) : []
    const { attemptTimeoutMs, resultGraceMs } = backoffPolicy
    const fresh = seed.state === 'linked-elsewhere' ? ({ fresh: true } as const) : {}
    seed.state = 'dialling'
    seed.attempt += 1
    seed.attemptAt = now
    seed.nextAt = now + attemptTimeoutMs + resultGraceMs
    return [...spans, { do: 'dial.seed', seed: seed.address, limitMs: attemptTimeoutMs, ...fresh }]
  }

  #cause(seed: Seed): SeedCause {
    if (seed.campaign === 0) return 'start'
    return this.#isAlone ? 'alone' : 'periodic'
  }

  #begin(seed: Seed, cause: SeedCause, firstAt: number, now: number): SeedEffect[] {
    const before = seed.root
    // The jitter outlives a campaign that was given up, so that later campaigns stay spread.
    if (cause === 'start') seed.jitter = this.#sampleJitter()
    const root = newTrace(this.#random)
    seed.state = 'waiting'
    seed.cause = cause
    seed.root = root
    seed.beganAt = now
    seed.attempt = 0
    seed.nextAt = firstAt
    seed.failure = undefined
    seed.campaign += 1
    return [emitSeedDial(seed, root), ...(before === undefined ? [] : [emitSeedRearmed(seed, before, now)])]
  }

  #onAnswered(seed: Seed, { peer, address, elsewhere }: Answer, now: number): SeedEffect[] {
    // The seed's address failed, and its peer has connected through another address meanwhile.
    const { failure } = seed
    if (elsewhere !== undefined && failure) return this.#restAsLinked(seed, failure, { peer, address: elsewhere }, now)
    const restoredSpans = seed.reportedBlock === '' || elsewhere !== undefined ? [] : [emitSeedPathRestored(seed, peer)]
    seed.state = 'connected'
    seed.peer = peer
    seed.endedAt = now
    seed.nextAt = Infinity
    seed.isSelfReported = false
    if (elsewhere === undefined) seed.reportedBlock = ''
    return [...restoredSpans, emitSeedConnected(seed, peer, address, now)]
  }

  #onFailed(seed: Seed, failure: DialFailure, now: number, linked?: LinkedPeer): SeedEffect[] {
    if (failure.errorType === selfDial) return this.#restAsSelf(seed, failure, now)
    seed.failure = failure
    seed.isSelfReported = false
    if (linked !== undefined) return this.#restAsLinked(seed, failure, linked, now)
    if (seed.attempt < backoffPolicy.attempts) {
      seed.state = 'waiting'
      seed.nextAt = nextAttemptAt(seed, now)
      return [emitSeedRetry(seed, failure, now)]
    }
    seed.state = 'given-up'
    seed.endedAt = now
    seed.nextAt = restUntil(seed, this.#isAlone, now)
    return [emitSeedGiveup(seed, failure, now)]
  }

  /** Keeps the campaign open with no attempt counted; it continues if another node answers at this address. */
  #restAsSelf(seed: Seed, failure: DialFailure, now: number): SeedEffect[] {
    seed.state = 'self'
    seed.attempt = 0
    seed.endedAt = now
    seed.nextAt = restUntil(seed, this.#isAlone, now)
    if (seed.isSelfReported) return []
    seed.isSelfReported = true
    const others = this.#seeds.filter(({ state }) => state !== 'self').length
    return [emitSeedSelf(seed, failure, others)]
  }

  /** Keeps the campaign open; it continues when the link closes or the address answers. */
  #restAsLinked(seed: Seed, failure: DialFailure, linked: LinkedPeer, now: number): SeedEffect[] {
    const reportedBlock = `${linked.peer} ${failure.errorType}`
    const isReported = seed.reportedBlock === reportedBlock
    seed.state = 'linked-elsewhere'
    seed.peer = linked.peer
    seed.attempt = 0
    seed.endedAt = now
    seed.reportedBlock = reportedBlock
    seed.nextAt = restUntil(seed, this.#isAlone, now)
    return isReported ? [] : [emitSeedPathBlocked(seed, failure, linked)]
  }

  /** Fails an attempt without a result, so that a lost result cannot stall the campaign. */
  #timeOutAttempt(seed: Seed, now: number): SeedEffect[] {
    if (seed.state !== 'dialling' || now < seed.nextAt) return []
    const { attemptTimeoutMs, resultGraceMs } = backoffPolicy
    const errorMessage = `the attempt did not end within ${attemptTimeoutMs + resultGraceMs} ms`
    return this.#onFailed(seed, { stage: 'dial', addresses: [], errorType: 'TimeoutError', errorMessage }, now)
  }

  #onPeerCount(isAlone: boolean, now: number): SeedEffect[] {
    if (isAlone === this.#isAlone) return []
    this.#isAlone = isAlone
    const resting = this.#seeds.filter((seed) => seed.state === 'given-up')
    if (!isAlone) {
      for (const seed of resting) seed.nextAt = restUntil(seed, this.#isAlone, now)
      return []
    }
    return this.#seeds
      .filter((seed) => seed.state === 'given-up' || isReached(seed))
      .flatMap((seed) => this.#onLost(seed, now))
  }

  /** Starts a new campaign shortly after a loss. */
  #onLost(seed: Seed, now: number): SeedEffect[] {
    if (!isReached(seed) || now - seed.endedAt >= backoffPolicy.steadyMs) seed.hangups = 0
    seed.hangups += 1
    seed.jitter = this.#sampleJitter()
    return this.#begin(seed, 'lost', redialAt(seed, now), now)
  }
}

function isReached({ state }: Seed): boolean {
  return state === 'connected' || state === 'linked-elsewhere'
}
