import { emitSpan, type SpanEffect } from '../catalogue/span-effect.ts'
import type { Machine, Random } from './machine.ts'
import { newTrace, type TraceRef } from './trace.ts'

/** The minute under which a node’s spans are told: one trace each, so that no trace grows for ever. */
const windowMs = 60_000
const censusMs = 30_000
/** Callbacks are hints; a snapshot at least this often makes up for one that never came. */
const observeMs = 5_000

export type RoundsEffect = SpanEffect | { readonly do: 'observe' } | { readonly do: 'census' }

/** What a node does by the clock alone. */
export class Rounds implements Machine<{ readonly type: 'started' | 'tick' }, RoundsEffect> {
  readonly #random: Random
  #window: TraceRef | undefined
  #windows = 0
  #startedAt = 0
  #windowAt = Infinity
  #censusAt = Infinity
  #observeAt = Infinity

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
      this.#censusAt = now + censusMs
      this.#observeAt = now
    }
    const effects: RoundsEffect[] = []
    if (now >= this.#windowAt) effects.push(this.#startWindow(now))
    if (now >= this.#censusAt) {
      this.#censusAt = now + censusMs
      effects.push({ do: 'census' })
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
    const attributes = {
      'mesh.window.seq': ++this.#windows,
      'mesh.node.uptime_ms': Math.round(now - this.#startedAt),
    }
    return emitSpan('mesh.window', attributes, { ref, parent: null, links: before === undefined ? [] : [before] })
  }
}
