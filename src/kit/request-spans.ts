import { type AttributesOf, emitSpan, type SpanEffect } from '../catalogue/span-effect.ts'
import { errorMessage, MeshError } from '../core/errors.ts'
import type { Clock, Random } from '../core/machine.ts'
import { childOf, spanIn, type TraceRef } from '../core/trace.ts'
import { RateLimiter, sampleMs } from './clock.ts'
import { activeSpan } from './trace-context.ts'

export interface RequestSpansOptions {
  readonly clock: Clock
  readonly random: Random
  readonly emitSpan: (effect: SpanEffect) => void
  /** Whether this node exports spans: only then may other spans be their children. */
  readonly exportsSpans: boolean
}

/** Outcome of a request. */
export type Result = { readonly response: Uint8Array } | { readonly error: unknown }

export interface RequestSpan {
  /** Parent for spans at the other side or in the handler; the enclosing span if this one is not sampled. */
  readonly context: TraceRef | undefined
  /** Emits the span if it is sampled. */
  readonly end: (result: Result) => void
}

/** The request that a span describes. */
export interface RequestInfo {
  /** The other side. */
  readonly peer: string
  readonly topic: string
  readonly data: Uint8Array
}

interface Ids {
  /** Undefined when the span is not sampled. */
  readonly ref: TraceRef | undefined
  readonly parent: TraceRef | undefined
}

type RequestSpanName = 'mesh.request.sent' | 'mesh.request.handled'

/** Samples request spans: at most one per second and direction, independent of the other side's sampling. */
export class RequestSpans {
  readonly #options: RequestSpansOptions
  readonly #sentRate = new RateLimiter(sampleMs)
  readonly #handledRate = new RateLimiter(sampleMs)

  constructor(options: RequestSpansOptions) {
    this.#options = options
  }

  /** Starts the span of an outbound request. */
  startSent(request: RequestInfo): RequestSpan {
    const { clock, random, exportsSpans } = this.#options
    const active = activeSpan()
    const parent = active?.isSampled ? active.ref : undefined
    const ref = this.#sentRate.take(clock.now()) ? spanIn(parent, random) : undefined
    const isUnsampled = active !== undefined && !active.isSampled
    const context = ref !== undefined && exportsSpans && !isUnsampled ? ref : parent
    return { context, end: this.#endSpan('mesh.request.sent', request, { ref, parent }) }
  }

  /** Starts the span of a handler's request; `remote` is the sender's span. */
  startHandled(request: RequestInfo, remote: TraceRef | undefined): RequestSpan {
    const { clock, random, exportsSpans } = this.#options
    const isSampled = remote !== undefined && this.#handledRate.take(clock.now())
    const ref = isSampled ? childOf(remote, random) : undefined
    const context = ref !== undefined && exportsSpans ? ref : remote
    return { context, end: this.#endSpan('mesh.request.handled', request, { ref, parent: remote }) }
  }

  #endSpan(name: RequestSpanName, { peer, topic, data }: RequestInfo, { ref, parent }: Ids): (result: Result) => void {
    const since = this.#options.clock.now()
    return (result) => {
      if (ref === undefined) return
      const request = { 'mesh.peer.id': peer, 'mesh.request.topic': topic, 'mesh.request.bytes': data.length }
      const timing = { ref, parent: parent ?? null, since, failed: 'error' in result }
      this.#options.emitSpan(emitSpan(name, { ...request, ...attributesOf(result) }, timing))
    }
  }
}

function attributesOf(result: Result): Partial<AttributesOf<RequestSpanName>> {
  if ('response' in result) return { 'mesh.response.bytes': result.response.length }
  return { 'error.type': errorType(result.error), 'mesh.error.message': errorMessage(result.error) }
}

function errorType(error: unknown): string {
  if (error instanceof MeshError) return error.code
  return error instanceof Error ? error.name : typeof error
}
