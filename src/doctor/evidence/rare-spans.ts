import type { TraceSpan } from '../../traces/trace.ts'

/** Retained spans of one name and process. */
export interface SpanLimits {
  readonly earliest: number
  readonly latest: number
}

export const mostSpans: SpanLimits = { earliest: 32, latest: 96 }
/** So many may wait until the latest are sorted out. */
const slack = 16

/** Spans of one name of one process: all counted, those in the middle of many not retained. Spans come in any order. */
export class RareSpans {
  #limits: SpanLimits
  #count = 0
  /** The earliest, by start. */
  #head: TraceSpan[] = []
  #tail: TraceSpan[] = []

  constructor(limits: SpanLimits) {
    this.#limits = limits
  }

  /** Number of spans that were read. */
  get count(): number {
    return this.#count
  }

  /** Number of spans that take memory. */
  get size(): number {
    return this.#head.length + this.#tail.length
  }

  add(span: TraceSpan): void {
    this.#count++
    const later = this.#addEarly(span)
    if (later === undefined) return
    this.#tail.push(later)
    if (this.#tail.length >= this.#limits.latest + slack) this.#trimTail()
  }

  /** Retains fewer from now on. */
  shrink(limits: SpanLimits): void {
    this.#limits = limits
    this.#tail.push(...this.#head.splice(limits.earliest))
    this.#trimTail()
  }

  /** By start: at most 128 of the earliest and the latest. */
  retained(): TraceSpan[] {
    this.#trimTail()
    return [...this.#head, ...this.#tail]
  }

  /** The span that is not among the earliest: this one, or the one whose place it took. */
  #addEarly(span: TraceSpan): TraceSpan | undefined {
    const head = this.#head
    const { earliest } = this.#limits
    if (head.length >= earliest && span.startMs >= (head.at(-1)?.startMs ?? Number.NEGATIVE_INFINITY)) return span
    head.splice(head.findLastIndex(({ startMs }) => startMs <= span.startMs) + 1, 0, span)
    return head.length > earliest ? head.pop() : undefined
  }

  #trimTail(): void {
    this.#tail = this.#tail.sort((a, b) => a.startMs - b.startMs).slice(-this.#limits.latest)
  }
}
