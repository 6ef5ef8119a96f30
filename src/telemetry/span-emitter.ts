import {
  type Attributes,
  type Link,
  ROOT_CONTEXT,
  type SpanContext,
  SpanKind,
  type SpanStatus,
  SpanStatusCode,
  TraceFlags,
  trace,
} from '@opentelemetry/api'
import { type SpanEffect, specOf } from '../catalogue/span-effect.ts'
import { spans } from '../catalogue/spans.ts'
import type { Clock, Random } from '../core/machine.ts'
import { newTrace, spanIn, type TraceRef } from '../core/trace.ts'
import type { Loss } from './outbox.ts'
import type { Provider, ProviderFactory } from './provider.ts'
import { hrTime, QueuedSpan } from './queued-span.ts'
import { isRoutine, isSampled, recordAndSample, type Sampling } from './sampling.ts'
import type { IdGenerator, Resource, Sampler, SpanProcessor } from './sdk-types.ts'
import type { Telemetry } from './telemetry.ts'

export interface SpanEmitterOptions {
  readonly clock: Clock
  readonly random: Random
  readonly resource: Resource
  /** Version of the instrumentation scope. */
  readonly version: string
  readonly provider: ProviderFactory
  readonly sampling: Sampling
  readonly outlet: Outlet
}

/** Where ended spans go: into the queue for the receiver, or to a processor. */
export type Outlet =
  /** `routine`: the span recurs whether anything happens or not, so it may be delayed. */
  { readonly add: (span: QueuedSpan, routine: boolean) => void } | { readonly processor: SpanProcessor }

/** Ids and attributes of the span being emitted, for the SDK's callbacks between its start and end. */
interface CurrentSpan {
  readonly routine: boolean
  readonly ref: TraceRef
  readonly attributes: QueuedSpan['attributes']
  readonly loss: Loss | undefined
}

/** Duration of a point in time, in milliseconds: Jaeger warns of a span that ends as it begins. */
const minDurationMs = 0.001

const kinds = {
  internal: SpanKind.INTERNAL,
  client: SpanKind.CLIENT,
  server: SpanKind.SERVER,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
} as const

/** Two, since a late census may belong to the previous window. */
const maxRoots = 2

/** Turns effects into SDK spans that end at once, and passes them to the outlet. */
export class SpanEmitter {
  readonly #options: SpanEmitterOptions
  readonly #provider: Provider
  #sequence = 0
  #foreignCount = 0
  #sampledOut = 0
  /** Span ids of the last roots that were sampled out; their exported children become roots. */
  #sampledOutRoots: readonly string[] = []
  #current: CurrentSpan | undefined
  #window: TraceRef | undefined

  constructor(options: SpanEmitterOptions) {
    this.#options = options
    this.#provider = options.provider({
      resource: options.resource,
      version: options.version,
      processor: 'processor' in options.outlet ? options.outlet.processor : this.#createProcessor(options.outlet.add),
      idGenerator: this.#createIdGenerator(),
      sampler: this.#createSampler(),
    })
  }

  get spanCount(): number {
    return this.#sequence + this.#foreignCount + this.#sampledOut
  }

  /** Routine spans that were not exported. */
  get sampledOut(): number {
    return this.#sampledOut
  }

  /** The window of the last emitted span that has one. */
  get window(): TraceRef | undefined {
    return this.#window
  }

  emit(effect: SpanEffect, window: TraceRef | undefined, loss?: Loss): TraceRef {
    const { clock, random, outlet, sampling } = this.#options
    if (window !== undefined) this.#window = window
    const ref = refOf(effect, window, random)
    if (isRoutine(effect) && !isSampled(ref.traceId, sampling.routineShare)) return this.#sampleOut(effect, ref)
    const parent = this.#exportedParent(parentOf(effect, window))
    const attributes = { ...truncateAttributes(effect.attributes), 'mesh.seq': ++this.#sequence }
    const end = clock.wall()
    const start = effect.since === undefined ? end : end - Math.max(0, clock.now() - effect.since)
    const { failed, kind, log } = specOf(spans, effect.span)
    this.#current = { ref, attributes, loss, routine: log === 'trace' }
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
    if (failed || effect.failed) span.setStatus(errorStatusOf(attributes))
    span.end(hrTime(Math.max(end, start + minDurationMs)))
    this.#current = undefined
    const { traceId, spanId } = span.spanContext()
    return { traceId, spanId }
  }

  /** Counts the span but gives it no number, so that `mesh.seq` has no gap. */
  #sampleOut(effect: SpanEffect, ref: TraceRef): TraceRef {
    this.#sampledOut++
    if (effect.parent === null) this.#sampledOutRoots = [...this.#sampledOutRoots, ref.spanId].slice(-maxRoots)
    return ref
  }

  /** The parent, unless it is not exported, here or by its own process: then the span is a root of the same trace. */
  #exportedParent(parent: TraceRef | undefined): TraceRef | undefined {
    const isExported = parent?.sampled !== false && !this.#sampledOutRoots.includes(parent?.spanId ?? '')
    return isExported ? parent : undefined
  }

  close(): Promise<void> {
    return this.#provider.shutdown().catch(() => {})
  }

  /** `emit` has sampled the spans of the mesh already; spans of other instrumentation are sampled here. */
  #createSampler(): Sampler {
    const { foreignSampler } = this.#options.sampling
    return {
      shouldSample: (...args) =>
        this.#current === undefined ? foreignSampler.shouldSample(...args) : { decision: recordAndSample },
      toString: () => `Tracemesh{${foreignSampler}}`,
    }
  }

  #createIdGenerator(): IdGenerator {
    const { random } = this.#options
    return {
      generateTraceId: () => this.#current?.ref.traceId ?? newTrace(random).traceId,
      generateSpanId: () => this.#current?.ref.spanId ?? newTrace(random).spanId,
    }
  }

  /** If the provider is the global one, spans of other instrumentation come through here too, without `mesh.seq`. */
  #createProcessor(enqueue: (span: QueuedSpan, routine: boolean) => void): SpanProcessor {
    const noop = (): Promise<void> => Promise.resolve()
    return {
      onStart() {},
      onEnd: (span) => {
        if (this.#current === undefined) this.#foreignCount++
        const { attributes = span.attributes, loss, routine = false } = this.#current ?? {}
        enqueue(new QueuedSpan(span, attributes, loss), routine)
      },
      forceFlush: noop,
      shutdown: noop,
    }
  }
}

function parentOf(effect: SpanEffect, window: TraceRef | undefined): TraceRef | undefined {
  return effect.parent === undefined ? window : (effect.parent ?? undefined)
}

/** Ids of the span: those of the effect, or new ones below its parent. */
function refOf(effect: SpanEffect, window: TraceRef | undefined, random: Random): TraceRef {
  const parent = parentOf(effect, window)
  return effect.ref ?? spanIn(parent, random)
}

/** An error status, described by the span's error message if it has one. */
function errorStatusOf(attributes: QueuedSpan['attributes']): SpanStatus {
  const message = attributes['mesh.error.message']
  return { code: SpanStatusCode.ERROR, ...(typeof message === 'string' && { message }) }
}

function linksOf(effect: SpanEffect): Link[] {
  const links = effect.links?.filter(({ sampled }) => sampled !== false) ?? []
  return links.map((ref) => ({ context: contextOf(ref) }))
}

function contextOf(ref: TraceRef): SpanContext {
  return { traceId: ref.traceId, spanId: ref.spanId, traceFlags: TraceFlags.SAMPLED }
}

/** Makes no spans, only ids, for log lines and messages to peers. */
export function silentTelemetry(random: Random = Math.random): Telemetry {
  const state: { spanCount: number; window?: TraceRef | undefined } = { spanCount: 0 }
  return {
    emit: (effect, window) => {
      state.spanCount++
      state.window = window ?? state.window
      return refOf(effect, window, random)
    },
    get window() {
      return state.window
    },
    exports: false,
    flush: async () => ({ left: 0 }),
    close: async () => ({ lost: 0 }),
    get stats() {
      return { emitted: state.spanCount, exported: 0, queued: 0, lostTotal: 0, sampledOut: state.spanCount }
    },
  }
}

/** Bounds of one attribute's value, so that no peer can make a span large. Guesses. */
const maxTextLength = 256
const maxListLength = 32

/** Cuts texts at 256 characters and lists at 32 elements. Copies the attributes only if one is too long. */
export function truncateAttributes(original: SpanEffect['attributes']): Attributes {
  const attributes = original as Attributes
  let copy: Attributes | undefined
  for (const name in attributes) {
    const value = attributes[name]
    const truncated = Array.isArray(value) ? truncateList(value as readonly string[]) : truncateText(value)
    if (truncated === value) continue
    copy ??= { ...attributes }
    copy[name] = truncated as string
  }
  return copy ?? attributes
}

function truncateList(list: readonly string[]): readonly unknown[] {
  const isTooLong = list.length > maxListLength || list.some((text) => text.length > maxTextLength)
  return isTooLong ? list.slice(0, maxListLength).map(truncateText) : list
}

function truncateText(value: unknown): unknown {
  return typeof value === 'string' && value.length > maxTextLength ? value.slice(0, maxTextLength) : value
}
