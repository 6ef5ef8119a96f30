import type { SpanEffect } from '../catalogue/span-effect.ts'
import { type BackoffPolicy, backoffPolicy, delayMs } from './backoff.ts'
import { MeshError } from './errors.ts'
import type { DialFailure, NetworkEffect, NetworkEvent } from './events.ts'
import { limits } from './limits.ts'
import type { Machine, Random } from './machine.ts'
import { type LinkedPeer, newSeed, type Seed, type SeedCause, type SeedState } from './seed-campaign.ts'
import { emitSeedPathBlocked, emitSeedPathRestored } from './spans/path.ts'
import {
  emitSeedConnected,
  emitSeedDial,
  emitSeedGiveup,
  emitSeedRearmed,
  emitSeedRetry,
  emitSeedSelf,
} from './spans/seed.ts'
import { newTrace } from './trace.ts'

export type SeedEvent =
  | { readonly type: 'tick' }
  | Extract<NetworkEvent, { readonly type: 'seed.answered' }>
  /** `linked`: the peer behind the seed's address, if it is known and linked through another address. */
  | (Extract<NetworkEvent, { readonly type: 'seed.failed' }> & { readonly linked?: LinkedPeer | undefined })
  /** Number of connected peers, guests included, after a change. */
  | { readonly type: 'peers'; readonly count: number }
  /** The last connection to a peer closed. */
  | { readonly type: 'disconnected'; readonly peer: string }

export type SeedEffect = Extract<NetworkEffect, { readonly do: 'dial.seed' }> | SpanEffect

export interface SeedOptions {
  readonly policy?: BackoffPolicy
  readonly random: Random
  /**
   * Samples the jitter in [0, 1) of this node's waits; `random` by default. A node that knows the other nodes can use
   * (rank + random) / nodes, so that their waits spread evenly.
   */
  readonly sampleJitter?: Random
}

/** One seed, for display. */
export interface SeedView {
  readonly address: string
  readonly state: SeedState
  /** Attempts of this campaign so far. */
  readonly attempt: number
  readonly campaign: number
  /** Monotonic milliseconds of the next attempt; undefined while connected or dialling. */
  readonly nextAt: number | undefined
  /** The peer that answered last. */
  readonly peer: string | undefined
}

type Answer = Extract<SeedEvent, { readonly type: 'seed.answered' }>

/** Error type of a dial whose addresses all belong to this node. */
const selfDial = 'SelfDial'

/**
 * Dials each seed until it answers, and again after a loss.
 *
 * A campaign has at most ten attempts with growing waits between them; then the node gives the seed up. Without peers
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
  readonly #policy: BackoffPolicy
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
    this.#policy = options.policy ?? backoffPolicy
    this.#random = options.random
    this.#sampleJitter = options.sampleJitter ?? options.random
    this.#seeds = distinct.map(newSeed)
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
    const { attemptTimeoutMs: limitMs, resultGraceMs: graceMs } = this.#policy
    const fresh = seed.state === 'linked-elsewhere' ? ({ fresh: true } as const) : {}
    seed.state = 'dialling'
    seed.attempt += 1
    seed.attemptAt = now
    seed.nextAt = now + limitMs + graceMs
    return [...spans, { do: 'dial.seed', seed: seed.address, limitMs, ...fresh }]
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
    const { attempts, aloneMs } = this.#policy
    if (failure.errorType === selfDial) return this.#restAsSelf(seed, failure, now)
    seed.failure = failure
    seed.isSelfReported = false
    if (linked !== undefined) return this.#restAsLinked(seed, failure, linked, now)
    if (seed.attempt < attempts) {
      seed.state = 'waiting'
      seed.nextAt =
        seed.cause === 'alone'
          ? Math.max(now, seed.attemptAt + aloneMs)
          : now + delayMs(this.#policy, seed.attempt, seed.jitter)
      return [emitSeedRetry(seed, failure, now)]
    }
    seed.state = 'given-up'
    seed.endedAt = now
    seed.nextAt = this.#restUntil(seed, now)
    return [emitSeedGiveup(seed, failure, now)]
  }

  /** Keeps the campaign open with no attempt counted; it continues if another node answers at this address. */
  #restAsSelf(seed: Seed, failure: DialFailure, now: number): SeedEffect[] {
    seed.state = 'self'
    seed.attempt = 0
    seed.endedAt = now
    seed.nextAt = this.#restUntil(seed, now)
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
    seed.nextAt = this.#restUntil(seed, now)
    return isReported ? [] : [emitSeedPathBlocked(seed, failure, linked)]
  }

  /** Fails an attempt without a result, so that a lost result cannot stall the campaign. */
  #timeOutAttempt(seed: Seed, now: number): SeedEffect[] {
    if (seed.state !== 'dialling' || now < seed.nextAt) return []
    const errorMessage = `the attempt did not end within ${this.#policy.attemptTimeoutMs + this.#policy.resultGraceMs} ms`
    return this.#onFailed(seed, { stage: 'dial', addresses: [], errorType: 'TimeoutError', errorMessage }, now)
  }

  /** When the node retries a seed that was given up. Without peers, attempts start 30 s apart. */
  #restUntil(seed: Seed, now: number): number {
    const { aloneMs, periodicMs } = this.#policy
    if (!this.#isAlone) return seed.endedAt + periodicMs
    return Math.max(now, (seed.cause === 'alone' ? seed.attemptAt : seed.endedAt) + aloneMs)
  }

  #onPeerCount(isAlone: boolean, now: number): SeedEffect[] {
    if (isAlone === this.#isAlone) return []
    this.#isAlone = isAlone
    const resting = this.#seeds.filter((seed) => seed.state === 'given-up')
    if (!isAlone) {
      for (const seed of resting) seed.nextAt = this.#restUntil(seed, now)
      return []
    }
    return this.#seeds
      .filter((seed) => seed.state === 'given-up' || isReached(seed))
      .flatMap((seed) => this.#onLost(seed, now))
  }

  /**
   * Starts a new campaign shortly after a loss. Each hangup soon after an answer (a full seed, or one in another mesh)
   * lengthens the first wait, which otherwise would mean one dial a second without end.
   */
  #onLost(seed: Seed, now: number): SeedEffect[] {
    if (!isReached(seed) || now - seed.endedAt >= this.#policy.steadyMs) seed.hangups = 0
    seed.hangups += 1
    seed.jitter = this.#sampleJitter()
    return this.#begin(seed, 'lost', now + delayMs(this.#policy, seed.hangups, seed.jitter), now)
  }
}

function isReached({ state }: Seed): boolean {
  return state === 'connected' || state === 'linked-elsewhere'
}
