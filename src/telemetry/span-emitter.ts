import {
  type Link,
  ROOT_CONTEXT,
  type SpanContext,
  SpanKind,
  type SpanStatus,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api'
import { emitSpan, type SpanEffect, specOf } from '../catalogue/span-effect.ts'
import { spans } from '../catalogue/spans.ts'
import type { Clock, Random } from '../core/machine.ts'
import { newTrace, spanIn, type TraceRef } from '../core/trace.ts'
import { cut } from './cut.ts'
import type { Loss, Report } from './outbox.ts'
import type { Provider, ProviderFactory } from './provider.ts'
import { hrTime, QueuedSpan } from './queued-span.ts'
import { isRoutine, isSampled, recordAndSample, type Sampling } from './sampling.ts'
import type { IdGenerator, Resource, Sampler, SpanProcessor } from './sdk-types.ts'

export interface SpanEmitterOptions {
  readonly clock: Clock
  readonly random: Random
  readonly report: Report
  readonly resource: Resource
  /** Version of the instrumentation scope. */
  readonly version: string
  readonly provider: ProviderFactory
  readonly sampling: Sampling
  readonly outlet: Outlet
}

/** Where ended spans go: to be held for the receiver, or as they are to a processor. */
export type Outlet =
  /** `routine`: it is told again and again whether anything happens or not, so nobody waits for it. */
  { readonly add: (span: QueuedSpan, routine: boolean) => void } | { readonly processor: SpanProcessor }

/** Ids and attributes of the span that is being told: from the start of the SDK's span to its end, in one call. */
interface EmittingSpan {
  readonly routine: boolean
  readonly ref: TraceRef
  readonly attributes: QueuedSpan['attributes']
  readonly loss: Loss | undefined
}

/** Of a point in time, in milliseconds: Jaeger calls the duration of a span that ends as it begins negative, and warns. */
const shortestMs = 0.001

const kinds = {
  internal: SpanKind.INTERNAL,
  client: SpanKind.CLIENT,
  server: SpanKind.SERVER,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
} as const

/** A census that takes its time may be of the minute before. */
const withheldMax = 2

/** Turns effects into SDK spans that are ended at once, and hands them on as they are to be held. */
export class SpanEmitter {
  readonly #options: SpanEmitterOptions
  readonly #provider: Provider
  #sequence = 0
  #foreign = 0
  #sampledOut = 0
  /** Span ids of the last roots that did not leave: what would be their child is a root. */
  #withheldRoots: readonly string[] = []
  #emitting: EmittingSpan | undefined
  #window: TraceRef | undefined

  constructor(options: SpanEmitterOptions) {
    this.#options = options
    this.#provider = options.provider({
      resource: options.resource,
      version: options.version,
      processor: 'processor' in options.outlet ? options.outlet.processor : this.#holding(options.outlet.add),
      idGenerator: this.#ids(),
      sampler: this.#sampler(),
    })
  }

  get spanCount(): number {
    return this.#sequence + this.#foreign + this.#sampledOut
  }

  /** Spans that did not leave, being routine. */
  get sampledOut(): number {
    return this.#sampledOut
  }

  /** Of the last span told that belongs to one. */
  get window(): TraceRef | undefined {
    return this.#window
  }

  emit(effect: SpanEffect, window: TraceRef | undefined, loss?: Loss): TraceRef {
    const { clock, random, outlet, sampling } = this.#options
    if (window !== undefined) this.#window = window
    const ref = refOf(effect, window, random)
    if (isRoutine(effect) && !isSampled(ref.traceId, sampling.routineShare)) return this.#withhold(effect, ref)
    const parent = this.#exported(parentOf(effect, window))
    const attributes = { ...cut(effect.attributes), 'mesh.seq': ++this.#sequence }
    const end = clock.wall()
    const start = effect.since === undefined ? end : end - Math.max(0, clock.now() - effect.since)
    const { failed, kind, log } = specOf(spans, effect.span)
    this.#emitting = { ref, attributes, loss, routine: log === 'trace' }
    const span = this.#provider.tracer.startSpan(
      effect.span,
      {
        kind: kinds[effect.kind ?? kind ?? 'internal'],
        startTime: hrTime(start),
        links: linksOf(effect),
        ...('processor' in outlet && { attributes }),
      },
      parent === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, contextOf(parent)),
    )
    if (failed || effect.failed) span.setStatus(failureOf(attributes))
    span.end(hrTime(Math.max(end, start + shortestMs)))
    this.#emitting = undefined
    const { traceId, spanId } = span.spanContext()
    return { traceId, spanId }
  }

  /** Counted, and not numbered: `mesh.seq` has no gap. */
  #withhold(effect: SpanEffect, ref: TraceRef): TraceRef {
    this.#sampledOut++
    if (effect.parent === null) this.#withheldRoots = [...this.#withheldRoots, ref.spanId].slice(-withheldMax)
    return ref
  }

  /** The parent, if it has left: a rare span of a minute whose root has not is a root of the same trace. */
  #exported(parent: TraceRef | undefined): TraceRef | undefined {
    return parent !== undefined && this.#withheldRoots.includes(parent.spanId) ? undefined : parent
  }

  emitLoss(loss: Loss): void {
    const effect = emitSpan('mesh.telemetry.lost', { 'mesh.lost.count': loss.count, 'mesh.lost.where': loss.where })
    const { traceId, spanId } = this.emit(effect, this.#window, loss)
    this.#options.report('error', 'spans were lost', { ...loss, trace_id: traceId, span_id: spanId })
  }

  close(): Promise<void> {
    return this.#provider.shutdown().catch(() => {})
  }

  /** Spans of the mesh have been chosen when they come here; those of other instrumentation have not. */
  #sampler(): Sampler {
    const { others } = this.#options.sampling
    return {
      shouldSample: (...asked) =>
        this.#emitting === undefined ? others.shouldSample(...asked) : { decision: recordAndSample },
      toString: () => `Tracemesh{${others}}`,
    }
  }

  #ids(): IdGenerator {
    const { random } = this.#options
    return {
      generateTraceId: () => this.#emitting?.ref.traceId ?? newTrace(random).traceId,
      generateSpanId: () => this.#emitting?.ref.spanId ?? newTrace(random).spanId,
    }
  }

  /** Spans of other instrumentation pass the same way when the provider is the global one; they have no `mesh.seq`. */
  #holding(add: (span: QueuedSpan, routine: boolean) => void): SpanProcessor {
    const nothing = (): Promise<void> => Promise.resolve()
    return {
      onStart() {},
      onEnd: (span) => {
        if (this.#emitting === undefined) this.#foreign++
        const { attributes = span.attributes, loss, routine = false } = this.#emitting ?? {}
        add(new QueuedSpan(span, attributes, loss), routine)
      },
      forceFlush: nothing,
      shutdown: nothing,
    }
  }
}

function parentOf(effect: SpanEffect, window: TraceRef | undefined): TraceRef | undefined {
  return effect.parent === undefined ? window : (effect.parent ?? undefined)
}

/** Ids of the span: those it was given, or new ones where it stands. */
export function refOf(effect: SpanEffect, window: TraceRef | undefined, random: Random): TraceRef {
  const parent = parentOf(effect, window)
  return effect.ref ?? spanIn(parent, random)
}

/** The description of a failed span's status is its error in words, where it has one. */
function failureOf(attributes: QueuedSpan['attributes']): SpanStatus {
  const message = attributes['mesh.error.message']
  return { code: SpanStatusCode.ERROR, ...(typeof message === 'string' && { message }) }
}

function linksOf(effect: SpanEffect): Link[] {
  return effect.links === undefined ? [] : effect.links.map((ref) => ({ context: contextOf(ref) }))
}

function contextOf(ref: TraceRef): SpanContext {
  return { traceId: ref.traceId, spanId: ref.spanId, traceFlags: 1 }
}
