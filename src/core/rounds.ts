import type { SpanEffect } from '../catalogue/span-effect.ts'
import type { CensusEffect } from './events.ts'
import type { Machine, Random } from './machine.ts'
import { emitWindow } from './spans/node.ts'
import { newTrace, type TraceRef } from './trace.ts'

/** Length of a window, the parent of a node’s other spans: one trace each, so that no trace grows without bound. */
const windowMs = 60_000
const censusMs = 30_000
const firstCensusMs = 5_000
/** Interval of snapshots, which make up for missed callbacks and for changes without one. */
const observeMs = 5_000

export type RoundsEffect = SpanEffect | { readonly do: 'observe' } | CensusEffect

/** The periodic tasks of a node: windows, censuses and snapshots. */
export class Rounds implements Machine<{ readonly type: 'started' | 'tick' }, RoundsEffect> {
  readonly #random: Random
  #window: TraceRef | undefined
  #windows = 0
  #startedAt = 0
  #windowAt = Infinity
  #censusAt = Infinity
  #observeAt = Infinity
  #hasCensus = false

  constructor(random: Random) {
    this.#random = random
  }

  get window(): TraceRef | undefined {
    return this.#window
  }

  handle(event: { readonly type: 'started' | 'tick' }, now: number): RoundsEffect[] {
    if (event.type === 'started') {
      this.#startedAt = now
      this.#windowAt = now
      this.#censusAt = now + firstCensusMs
      this.#observeAt = now
    }
    const effects: RoundsEffect[] = []
    if (now >= this.#windowAt) effects.push(this.#startWindow(now))
    if (now >= this.#censusAt) {
      this.#censusAt = now + censusMs
      effects.push({ do: 'census', cause: this.#hasCensus ? 'periodic' : 'started' })
      this.#hasCensus = true
    }
    if (now >= this.#observeAt) {
      this.#observeAt = now + observeMs
      effects.push({ do: 'observe' })
    }
    return effects
  }

  deadline(): number {
    return Math.min(this.#windowAt, this.#censusAt, this.#observeAt)
  }

  #startWindow(now: number): SpanEffect {
    const before = this.#window
    const ref = newTrace(this.#random)
    this.#window = ref
    this.#windowAt = now + windowMs
    return emitWindow(++this.#windows, now - this.#startedAt, ref, before)
  }
}
