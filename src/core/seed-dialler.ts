import type { SpanEffect } from '../catalogue/span-effect.ts'
import { type BackoffPolicy, backoffPolicy, waitMs } from './backoff.ts'
import { MeshError } from './errors.ts'
import type { DialFailure, NetworkEffect, NetworkEvent } from './events.ts'
import { limits } from './limits.ts'
import type { Machine, Random } from './machine.ts'
import {
  emitBegun,
  emitBlocked,
  emitConnected,
  emitGiveup,
  emitRestored,
  emitRetry,
  emitSelf,
  type LinkedPeer,
  newSeed,
  type Seed,
  type SeedCause,
  type SeedState,
} from './seed-campaign.ts'
import { newTrace } from './trace.ts'

export type SeedEvent =
  | { readonly type: 'tick' }
  | Extract<NetworkEvent, { readonly type: 'seed.answered' }>
  /** `linked`: the peer that the seed's address belongs to, when that is known and linked by another address. */
  | (Extract<NetworkEvent, { readonly type: 'seed.failed' }> & { readonly linked?: LinkedPeer | undefined })
  /** Connected peers, guests included, whenever their number changes. */
  | { readonly type: 'peers'; readonly count: number }
  /** The last connection to a peer is gone. */
  | { readonly type: 'disconnected'; readonly peer: string }

export type SeedEffect = Extract<NetworkEffect, { readonly do: 'dial.seed' }> | SpanEffect

export interface SeedOptions {
  readonly policy?: BackoffPolicy
  readonly random: Random
  /**
   * Where in [0, 1) this node's waits lie; `random` unless told otherwise. A node that knows the others can take its
   * place among them, (rank + random) / nodes, and spread with them evenly rather than by chance.
   */
  readonly spread?: Random
}

/** One seed as people see it. */
export interface SeedView {
  readonly address: string
  readonly state: SeedState
  /** Attempts of this campaign so far. */
  readonly attempt: number
  readonly campaign: number
  /** Monotonic milliseconds of the next attempt; undefined while connected or dialling. */
  readonly nextAt: number | undefined
  /** Who answered last. */
  readonly peer: string | undefined
}

type Answer = Extract<SeedEvent, { readonly type: 'seed.answered' }>

/** What a dial fails with when all that it found is this node’s own. */
const selfDial = 'SelfDial'

/**
 * Dials each seed until it answers, and again when it is lost.
 *
 * A campaign is at most ten attempts, each ended by an event and followed by a growing wait; then it is given up. A node
 * that has no peer goes on with one attempt every 30 s, one that has some begins anew every five minutes. Losing the
 * last peer, or the seed itself, begins a campaign shortly after. Every campaign is a trace of its own.
 *
 * Where all nodes have the same list, one of the seeds is the node itself: that is told once, and the seed rests. Its
 * name may lead to others later, so it is dialled again as rarely as a seed that was given up.
 *
 * A seed whose peer is linked by another address needs no campaign: that the one address does not answer is told once,
 * and the seed rests likewise.
 */
export class SeedDialler implements Machine<SeedEvent, SeedEffect> {
  readonly #policy: BackoffPolicy
  readonly #random: Random
  readonly #spread: Random
  /** Fixed when the node starts. */
  readonly #seeds: readonly Seed[]
  #alone = true

  /** Seeds named twice count once. Throws MESH_LIMIT_REACHED for more than `limits.seeds`. */
  constructor(seeds: readonly string[], options: SeedOptions) {
    const distinct = [...new Set(seeds)]
    if (distinct.length > limits.seeds)
      throw new MeshError('MESH_LIMIT_REACHED', { limit: 'seeds', value: limits.seeds })
    this.#policy = options.policy ?? backoffPolicy
    this.#random = options.random
    this.#spread = options.spread ?? options.random
    this.#seeds = distinct.map(newSeed)
  }

  handle(event: SeedEvent, now: number): SeedEffect[] {
    switch (event.type) {
      case 'tick':
        return this.#seeds.flatMap((seed) => [...this.#lose(seed, now), ...this.#dialDue(seed, now)])
      case 'seed.answered':
        return this.#inFlight(event.seed).flatMap((seed) => this.#answered(seed, event, now))
      case 'seed.failed':
        return this.#inFlight(event.seed).flatMap((seed) => this.#failed(seed, event.failure, now, event.linked))
      case 'peers':
        return this.#counted(event.count === 0, now)
      case 'disconnected':
        return this.#seeds
          .filter((seed) => isReached(seed) && seed.peer === event.peer)
          .flatMap((seed) => this.#lost(seed, now))
    }
  }

  deadline(): number {
    return this.#seeds.reduce((soonest, seed) => Math.min(soonest, seed.nextAt), Infinity)
  }

  seeds(): SeedView[] {
    return this.#seeds.map(({ address, state, attempt, campaign, nextAt, peer }) => {
      const due = state !== 'connected' && state !== 'dialling'
      return { address, state, attempt, campaign, nextAt: due ? nextAt : undefined, peer }
    })
  }

  /** Answers count only while an attempt is in flight: what comes later was already counted as failed. */
  #inFlight(address: string): Seed[] {
    return this.#seeds.filter((seed) => seed.address === address && seed.state === 'dialling')
  }

  #dialDue(seed: Seed, now: number): SeedEffect[] {
    if (seed.state === 'connected' || seed.state === 'dialling' || seed.nextAt > now) return []
    const begun = seed.state === 'given-up' || seed.campaign === 0 ? this.#begin(seed, this.#cause(seed), now, now) : []
    const { limitMs, graceMs } = this.#policy
    const fresh = seed.state === 'linked-elsewhere' ? ({ fresh: true } as const) : {}
    seed.state = 'dialling'
    seed.attempt += 1
    seed.attemptAt = now
    seed.nextAt = now + limitMs + graceMs
    return [...begun, { do: 'dial.seed', seed: seed.address, limitMs, ...fresh }]
  }

  #cause(seed: Seed): SeedCause {
    if (seed.campaign === 0) return 'start'
    return this.#alone ? 'alone' : 'periodic'
  }

  #begin(seed: Seed, cause: SeedCause, firstAt: number, now: number): SeedEffect[] {
    const before = seed.root
    // The draw outlives a campaign that was given up, so that the ones after it stay spread as it was.
    if (cause === 'start') seed.draw = this.#spread()
    const root = newTrace(this.#random)
    Object.assign(seed, { state: 'waiting', cause, root, beganAt: now, attempt: 0, nextAt: firstAt })
    seed.failure = undefined
    seed.campaign += 1
    return emitBegun(seed, root, before, now)
  }

  #answered(seed: Seed, { peer, address, elsewhere }: Answer, now: number): SeedEffect[] {
    // Its own address has failed, and the peer has connected by another one meanwhile.
    const { failure } = seed
    if (elsewhere !== undefined && failure) return this.#isLinked(seed, failure, { peer, address: elsewhere }, now)
    const restored = seed.blocked === '' || elsewhere !== undefined ? [] : [emitRestored(seed, peer)]
    const blocked = elsewhere === undefined ? '' : seed.blocked
    Object.assign(seed, { state: 'connected', peer, endedAt: now, nextAt: Infinity, selfReported: false, blocked })
    return [...restored, emitConnected(seed, peer, address, now)]
  }

  #failed(seed: Seed, failure: DialFailure, now: number, linked?: LinkedPeer): SeedEffect[] {
    const { attempts, aloneMs } = this.#policy
    if (failure.errorType === selfDial) return this.#isSelf(seed, failure, now)
    seed.failure = failure
    seed.selfReported = false
    if (linked !== undefined) return this.#isLinked(seed, failure, linked, now)
    if (seed.attempt < attempts) {
      seed.state = 'waiting'
      seed.nextAt =
        seed.cause === 'alone'
          ? Math.max(now, seed.attemptAt + aloneMs)
          : now + waitMs(this.#policy, seed.attempt, seed.draw)
      return [emitRetry(seed, failure, now)]
    }
    seed.state = 'given-up'
    seed.endedAt = now
    seed.nextAt = this.#restUntil(seed, now)
    return [emitGiveup(seed, failure, now)]
  }

  /** Its campaign stays open, with no attempt counted: it goes on if ever another node is found there. */
  #isSelf(seed: Seed, failure: DialFailure, now: number): SeedEffect[] {
    Object.assign(seed, { state: 'self', attempt: 0, endedAt: now })
    seed.nextAt = this.#restUntil(seed, now)
    if (seed.selfReported) return []
    seed.selfReported = true
    const others = this.#seeds.filter(({ state }) => state !== 'self').length
    return [emitSelf(seed, failure, others)]
  }

  /** As with itself, the campaign stays open: it goes on when the link is lost, or when the address answers. */
  #isLinked(seed: Seed, failure: DialFailure, linked: LinkedPeer, now: number): SeedEffect[] {
    const blocked = `${linked.peer} ${failure.errorType}`
    const reported = seed.blocked === blocked
    Object.assign(seed, { state: 'linked-elsewhere', peer: linked.peer, attempt: 0, endedAt: now, blocked })
    seed.nextAt = this.#restUntil(seed, now)
    return reported ? [] : [emitBlocked(seed, failure, linked)]
  }

  /** An attempt that nobody reported the end of: a lost answer must not end the campaign in silence. */
  #lose(seed: Seed, now: number): SeedEffect[] {
    if (seed.state !== 'dialling' || now < seed.nextAt) return []
    const errorMessage = `the attempt did not end within ${this.#policy.limitMs + this.#policy.graceMs} ms`
    return this.#failed(seed, { stage: 'dial', addresses: [], errorType: 'TimeoutError', errorMessage }, now)
  }

  /** When a seed that was given up is tried again. Alone, attempts keep their 30 s from start to start. */
  #restUntil(seed: Seed, now: number): number {
    const { aloneMs, periodicMs } = this.#policy
    if (!this.#alone) return seed.endedAt + periodicMs
    return Math.max(now, (seed.cause === 'alone' ? seed.attemptAt : seed.endedAt) + aloneMs)
  }

  #counted(alone: boolean, now: number): SeedEffect[] {
    if (alone === this.#alone) return []
    this.#alone = alone
    const resting = this.#seeds.filter((seed) => seed.state === 'given-up')
    if (!alone) {
      for (const seed of resting) seed.nextAt = this.#restUntil(seed, now)
      return []
    }
    return this.#seeds
      .filter((seed) => seed.state === 'given-up' || isReached(seed))
      .flatMap((seed) => this.#lost(seed, now))
  }

  /**
   * A new campaign, shortly after a loss. A seed that hangs up each time soon after it answered (it is full, or in
   * another mesh) is met with a longer first wait each time, or the two would dance at one dial a second for ever.
   */
  #lost(seed: Seed, now: number): SeedEffect[] {
    if (!isReached(seed) || now - seed.endedAt >= this.#policy.steadyMs) seed.hangups = 0
    seed.hangups += 1
    seed.draw = this.#spread()
    return this.#begin(seed, 'lost', now + waitMs(this.#policy, seed.hangups, seed.draw), now)
  }
}

function isReached({ state }: Seed): boolean {
  return state === 'connected' || state === 'linked-elsewhere'
}
