import assert from 'node:assert/strict'
import type { SpanEffectOf } from '../../catalogue/span-effect.ts'
import type { SpanName } from '../../catalogue/spans.ts'
import { SeedDialler, type SeedEffect, type SeedEvent } from '../../core/seed-dialler.ts'
import { seededRandom } from '../random.ts'
import { spansNamed } from './view-fixture.ts'

/** How an attempt ends: after `afterMs`, with success if `peer` is set. */
export interface Outcome {
  readonly afterMs: number
  readonly peer?: string
  /** Error of an attempt without a peer; by default a refused connection. */
  readonly errorType?: string
}

/** Simulates the network of a seed dialler in virtual time: `outcome` decides how an attempt ends; undefined: never. */
export class SeedPlayer {
  readonly effects: { readonly at: number; readonly effect: SeedEffect }[] = []
  readonly #dialler: SeedDialler
  readonly #outcome: (seed: string, at: number) => Outcome | undefined
  #answers: { readonly at: number; readonly event: SeedEvent }[] = []
  #now = 0

  constructor(dialler: SeedDialler, outcome: (seed: string, at: number) => Outcome | undefined) {
    this.#dialler = dialler
    this.#outcome = outcome
  }

  get now(): number {
    return this.#now
  }

  /** Passes the dialler an event now and returns its effects. */
  send(event: SeedEvent): SeedEffect[] {
    const effects = this.#dialler.handle(event, this.#now)
    for (const effect of effects) {
      this.effects.push({ at: this.#now, effect })
      if (effect.do === 'dial.seed') this.#dial(effect.seed)
    }
    return effects
  }

  runUntil(time: number): void {
    for (let next = this.#next(); next <= time; next = this.#next()) {
      this.#now = Math.max(this.#now, next)
      const due = this.#answers.filter(({ at }) => at <= this.#now)
      this.#answers = this.#answers.filter(({ at }) => at > this.#now)
      for (const { event } of due) this.send(event)
      if (this.#dialler.deadline() <= this.#now) this.send({ type: 'tick' })
    }
    this.#now = time
  }

  /** Times of the dials, of one seed or of all. */
  dials(seed?: string): number[] {
    return this.effects.flatMap(({ at, effect }) =>
      effect.do === 'dial.seed' && (seed === undefined || effect.seed === seed) ? [at] : [],
    )
  }

  spansNamed<N extends SpanName>(name: N): SpanEffectOf<N>[] {
    return spansNamed(
      this.effects.map(({ effect }) => effect),
      name,
    )
  }

  attributesOf<N extends SpanName>(name: N): SpanEffectOf<N>['attributes'][] {
    return this.spansNamed(name).map(({ attributes }) => attributes)
  }

  #next(): number {
    return this.#answers.reduce((soonest, { at }) => Math.min(soonest, at), this.#dialler.deadline())
  }

  #dial(seed: string): void {
    const outcome = this.#outcome(seed, this.#now)
    if (outcome === undefined) return
    const { afterMs, peer, errorType = refusal.errorType } = outcome
    const failure = { ...refusal, errorType }
    const { address } = refusal
    const event: SeedEvent =
      peer === undefined ? { type: 'seed.failed', seed, failure } : { type: 'seed.answered', seed, peer, address }
    this.#answers.push({ at: this.#now + afterMs, event })
  }
}

export const refusal = {
  stage: 'dial',
  addresses: ['/ip4/192.0.2.1/tcp/4001'],
  address: '/ip4/192.0.2.1/tcp/4001',
  errorType: 'ECONNREFUSED',
  errorMessage: 'connection refused',
} as const

export const seed = '/dns4/seed.example/udp/4001/quic-v1'
export const highest = 1 - Number.EPSILON
export const refused: Outcome = { afterMs: 0 }

/** The default `spread` makes every delay the longest, so that figures are round; by default no seed answers. */
export function play(
  outcome: (seed: string, at: number) => Outcome | undefined = () => refused,
  spread = () => highest,
  seeds = [seed],
) {
  const dialler = new SeedDialler(seeds, { random: seededRandom(1), sampleJitter: spread })
  return { dialler, player: new SeedPlayer(dialler, outcome) }
}

/** A seed that answers every dial between `from` and `to`. */
export const upBetween =
  (from: number, to: number, peer = 'peer-a') =>
  (_: string, at: number): Outcome =>
    at >= from && at < to ? { afterMs: 0, peer } : refused

export const gaps = (times: readonly number[]) =>
  times.slice(1).map((time, i) => Math.round((time - (times[i] ?? 0)) / 10) / 100)
export const near = (actual: number | undefined, expected: number) =>
  assert.ok(actual !== undefined && Math.abs(actual - expected) < 1, `${actual}, expected ${expected}`)
