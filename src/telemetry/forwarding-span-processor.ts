import type { Report } from './outbox.ts'
import type { ReadableSpan, SpanProcessor } from './sdk-types.ts'

/** Span processors as an application gives them: one, or several that each get every span. */
export type SpanProcessors = SpanProcessor | readonly SpanProcessor[]

/**
 * Hands spans to processors that belong to somebody else. They are never flushed nor shut down from here, and what they
 * throw ends here: a mesh does not stop because its spans are not wanted.
 */
export class ForwardingSpanProcessor {
  readonly processor: SpanProcessor
  readonly #report: Report
  #forwarded = 0
  #lost = 0
  #reported = false

  constructor(given: SpanProcessors, report: Report) {
    this.#report = report
    const theirs: readonly SpanProcessor[] = 'onEnd' in given ? [given] : given
    const nothing = (): Promise<void> => Promise.resolve()
    this.processor = {
      onStart: (span, context) => {
        addNamesOfSdk1(span)
        this.#all(theirs, (one) => one.onStart(span, context))
      },
      onEnding: (span) => void this.#all(theirs, (one) => one.onEnding?.(span)),
      onEnd: (span) => {
        if (this.#all(theirs, (one) => one.onEnd(span))) this.#forwarded++
        else this.#lost++
      },
      forceFlush: nothing,
      shutdown: nothing,
    }
  }

  /** Spans that every processor has taken. */
  get forwarded(): number {
    return this.#forwarded
  }

  /** Spans at whose end a processor threw. */
  get lost(): number {
    return this.#lost
  }

  /** Whether none threw. Only the first failure is reported, or a broken processor would fill the log; all are counted. */
  #all(theirs: readonly SpanProcessor[], call: (one: SpanProcessor) => void): boolean {
    let fine = true
    for (const one of theirs) {
      try {
        call(one)
      } catch (error) {
        fine = false
        if (!this.#reported) this.#report('error', 'a span processor failed', { err: error })
        this.#reported = true
      }
    }
    return fine
  }
}

/** Exporters of SDK 1.x read a span's scope and its parent under names that later versions have given up. */
function addNamesOfSdk1(span: ReadableSpan): void {
  Object.defineProperties(span, {
    instrumentationLibrary: { value: span.instrumentationScope, configurable: true },
    parentSpanId: { value: span.parentSpanContext?.spanId, configurable: true },
  })
}
