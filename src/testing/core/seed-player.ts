import type { SpanEffectOf } from '../../catalogue/span-effect.ts'
import type { SpanName } from '../../catalogue/spans.ts'
import type { SeedDialler, SeedEffect, SeedEvent } from '../../core/seed-dialler.ts'

/** How an attempt ends: after `afterMs`, with success if `peer` is set. */
export interface Outcome {
  readonly afterMs: number
  readonly peer?: string
  /** Error of an attempt without a peer; by default a refused connection. */
  readonly errorType?: string
}

export interface TimedEffect {
  readonly at: number
  readonly effect: SeedEffect
}

/** Simulates the network of a seed dialler in virtual time: `outcome` decides how an attempt ends; undefined: never. */
export class SeedPlayer {
  readonly effects: TimedEffect[] = []
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
    return this.effects.flatMap(({ effect }) =>
      effect.do === 'emit-span' && effect.span === name ? [effect as unknown as SpanEffectOf<N>] : [],
    )
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
