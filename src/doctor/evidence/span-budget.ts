import type { Instance } from './instance.ts'
import { mostSpans, type SpanLimits } from './rare-spans.ts'

/** Spans that all processes together retain: some 80 MB. */
const maxRetained = 65_536
/** After a cut there is room for some time, since cuts take time. */
const afterCut = 0.9 * maxRetained
/** How often the limits are halved at most. */
const maxLevel = 3

/** Of many processes with many names each retains fewer spans, so that the memory has a bound. */
export class SpanBudget {
  #limits = mostSpans
  #level = 0
  /** Never fewer than there are. */
  #retained = 0

  /** Of one name and process. */
  get limits(): SpanLimits {
    return this.#limits
  }

  /** One span more is retained. */
  take(instances: ReadonlyMap<string, Instance>): void {
    if (++this.#retained <= maxRetained || this.#level >= maxLevel) return
    this.#retained = countIn(instances)
    while (this.#retained > afterCut && this.#level < maxLevel) {
      this.#level++
      this.#limits = { earliest: mostSpans.earliest >> this.#level, latest: mostSpans.latest >> this.#level }
      for (const instance of instances.values()) instance.shrinkSpans(this.#limits)
      this.#retained = countIn(instances)
    }
  }
}

function countIn(instances: ReadonlyMap<string, Instance>): number {
  return [...instances.values()].reduce((sum, one) => sum + one.retainedSpans, 0)
}
