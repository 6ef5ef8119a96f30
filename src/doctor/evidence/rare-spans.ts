import type { TraceSpan } from '../../traces/trace.ts'

/** Retained spans of one name and process: the earliest, and the latest. */
const earliest = 32
const latest = 96

/** Spans of one name of one process: all counted, those in the middle of many not retained. Spans come in any order. */
export class RareSpans {
  #count = 0
  #head: TraceSpan[] = []
  #tail: TraceSpan[] = []

  /** Number of spans that were read. */
  get count(): number {
    return this.#count
  }

  add(span: TraceSpan): void {
    this.#count++
    if (this.#head.length < earliest) {
      this.#head.push(span)
      return
    }
    this.#tail.push(span)
    if (this.#tail.length >= 2 * latest) this.#tail = this.#tail.sort(byStart).slice(-latest)
  }

  /** By start: at most 128 of the earliest and the latest. */
  retained(): TraceSpan[] {
    return [...this.#head, ...this.#tail.sort(byStart).slice(-latest)].sort(byStart)
  }
}

function byStart(a: TraceSpan, b: TraceSpan): number {
  return a.startMs - b.startMs
}
