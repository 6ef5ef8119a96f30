import { type AttributesOf, emitSpan, type SpanEffect } from '../catalogue/span-effect.ts'
import { MeshError } from '../core/errors.ts'
import type { Clock, Random } from '../core/machine.ts'
import { childOf, spanIn, type TraceRef } from '../core/trace.ts'
import { Pace, sampleMs } from './pace.ts'
import { activeSpan } from './trace-context.ts'

export interface RequestSpansOptions {
  readonly clock: Clock
  readonly random: Random
  readonly tell: (effect: SpanEffect) => void
  /** Whether spans leave this node: only then others may be children of them. */
  readonly exports: boolean
}

/** How a request ended: with a response, or without. */
export type Result = { readonly response: Uint8Array } | { readonly error: unknown }

export interface RequestSpan {
  /** What is to be a child of it, at the other side or in the handler; the span around it when it was not sampled. */
  readonly context: TraceRef | undefined
  /** Emits the span, if it was sampled. */
  readonly end: (result: Result) => void
}

/** A request as its spans describe it. */
export interface Described {
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

type Name = 'mesh.request.sent' | 'mesh.request.handled'

/** Spans of requests are samples: at most one per second in each direction, whatever the other side has sampled. */
export class RequestSpans {
  readonly #options: RequestSpansOptions
  readonly #sent = new Pace(sampleMs)
  readonly #handled = new Pace(sampleMs)

  constructor(options: RequestSpansOptions) {
    this.#options = options
  }

  /** Of a request that is sent now. */
  sent(request: Described): RequestSpan {
    const { clock, random, exports } = this.#options
    const active = activeSpan()
    const parent = active?.sampled ? active.ref : undefined
    const ref = this.#sent.take(clock.now()) ? spanIn(parent, random) : undefined
    const unsampled = active !== undefined && !active.sampled
    const context = ref !== undefined && exports && !unsampled ? ref : parent
    return { context, end: this.#ending('mesh.request.sent', request, { ref, parent }) }
  }

  /** Of a request that a handler gets now; `remote` is what it was sent with. */
  handled(request: Described, remote: TraceRef | undefined): RequestSpan {
    const { clock, random, exports } = this.#options
    const sampled = remote !== undefined && this.#handled.take(clock.now())
    const ref = sampled ? childOf(remote, random) : undefined
    const context = ref !== undefined && exports ? ref : remote
    return { context, end: this.#ending('mesh.request.handled', request, { ref, parent: remote }) }
  }

  #ending(name: Name, { peer, topic, data }: Described, { ref, parent }: Ids): (result: Result) => void {
    const since = this.#options.clock.now()
    return (result) => {
      if (ref === undefined) return
      const request = { 'mesh.peer.id': peer, 'mesh.request.topic': topic, 'mesh.request.bytes': data.length }
      const place = { ref, parent: parent ?? null, since, failed: 'error' in result }
      this.#options.tell(emitSpan(name, { ...request, ...attributesOf(result) }, place))
    }
  }
}

function attributesOf(result: Result): Partial<AttributesOf<Name>> {
  if ('response' in result) return { 'mesh.response.bytes': result.response.length }
  return { 'error.type': errorType(result.error), 'mesh.error.message': reason(result.error) }
}

function errorType(error: unknown): string {
  if (error instanceof MeshError) return error.code
  return error instanceof Error ? error.name : typeof error
}

export function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
