import type { Reporter } from './outbox.ts'
import type { ReadableSpan, SpanProcessor } from './sdk-types.ts'

/** Span processors of an application: one, or several that each get every span. */
export type SpanProcessors = SpanProcessor | readonly SpanProcessor[]

/**
 * Forwards spans to the application's processors. It never flushes them or shuts them down, and catches what they
 * throw: a broken processor must not stop the mesh.
 */
export class ForwardingSpanProcessor {
  readonly processor: SpanProcessor
  readonly #report: Reporter
  #forwarded = 0
  #lost = 0
  #hasReported = false

  constructor(processorOrList: SpanProcessors, report: Reporter) {
    this.#report = report
    const processors: readonly SpanProcessor[] = 'onEnd' in processorOrList ? [processorOrList] : processorOrList
    const noop = (): Promise<void> => Promise.resolve()
    this.processor = {
      onStart: (span, context) => {
        addNamesOfSdk1(span)
        this.#callEach(processors, (one) => one.onStart(span, context))
      },
      onEnding: (span) => void this.#callEach(processors, (one) => one.onEnding?.(span)),
      onEnd: (span) => {
        if (this.#callEach(processors, (one) => one.onEnd(span))) this.#forwarded++
        else this.#lost++
      },
      forceFlush: noop,
      shutdown: noop,
    }
  }

  /** Spans that every processor accepted. */
  get forwarded(): number {
    return this.#forwarded
  }

  /** Spans for which a processor threw in `onEnd`. */
  get lost(): number {
    return this.#lost
  }

  /** True if none threw. Reports the first failure only, or a broken processor would fill the log. */
  #callEach(processors: readonly SpanProcessor[], call: (one: SpanProcessor) => void): boolean {
    let succeeded = true
    for (const one of processors) {
      try {
        call(one)
      } catch (error) {
        succeeded = false
        if (!this.#hasReported) this.#report('error', 'a span processor failed', { err: error })
        this.#hasReported = true
      }
    }
    return succeeded
  }
}

/** Exporters of SDK 1.x read a span's scope and parent under names that later versions dropped. */
function addNamesOfSdk1(span: ReadableSpan): void {
  Object.defineProperties(span, {
    instrumentationLibrary: { value: span.instrumentationScope, configurable: true },
    parentSpanId: { value: span.parentSpanContext?.spanId, configurable: true },
  })
}
