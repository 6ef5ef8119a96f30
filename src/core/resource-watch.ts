import type { SpanEffect } from '../catalogue/span-effect.ts'
import type { Machine, Random } from './machine.ts'
import { emitResourceExhausted, emitResourceRecovered } from './spans/node.ts'
import { newTrace, type TraceRef } from './trace.ts'

/** Error codes of the operating system for an exhausted resource, and the resource. */
export const exhaustions = {
  EMFILE: 'descriptors',
  ENFILE: 'system-descriptors',
  ENOBUFS: 'socket-memory',
  ENOMEM: 'memory',
} as const

export type ExhaustionType = keyof typeof exhaustions

export type ResourceOperation = 'open' | 'dial' | 'accept'

export type ResourceEvent =
  | { readonly type: 'failed'; readonly errorType: ExhaustionType; readonly operation: ResourceOperation }
  | { readonly type: 'tick' }

/** From the first failure until `quietMs` pass without one. */
export interface Exhaustion {
  readonly errorType: ExhaustionType
  readonly ref: TraceRef
  readonly since: number
  readonly lastAt: number
  readonly failures: number
  readonly operations: readonly ResourceOperation[]
}

/** Time without a failure that ends an exhaustion: three polls of the process, longer than most delays of a retry. */
export const quietMs = 15_000

export function isExhaustion(errorType: string): errorType is ExhaustionType {
  return Object.hasOwn(exhaustions, errorType)
}

/**
 * Emits a span when the process runs out of a resource and one when it recovers: the first at the first failure of each
 * kind, the second with the duration and the number of failures.
 */
export class ResourceWatch implements Machine<ResourceEvent, SpanEffect> {
  readonly #random: Random
  /** At most one entry per error type. */
  #exhausted: readonly Exhaustion[] = []

  constructor(random: Random) {
    this.#random = random
  }

  handle(event: ResourceEvent, now: number): SpanEffect[] {
    switch (event.type) {
      case 'failed':
        return this.#noteFailure(event.errorType, event.operation, now)
      case 'tick':
        return this.#recover(now)
    }
  }

  deadline(): number {
    return Math.min(Infinity, ...this.#exhausted.map(({ lastAt }) => lastAt + quietMs))
  }

  #noteFailure(errorType: ExhaustionType, operation: ResourceOperation, now: number): SpanEffect[] {
    const before = this.#exhausted.find((one) => one.errorType === errorType)
    const others = this.#exhausted.filter((one) => one !== before)
    const operations = before?.operations ?? []
    const next: Exhaustion = {
      errorType,
      ref: before?.ref ?? newTrace(this.#random),
      since: before?.since ?? now,
      lastAt: now,
      failures: (before?.failures ?? 0) + 1,
      operations: operations.includes(operation) ? operations : [...operations, operation],
    }
    this.#exhausted = [...others, next]
    if (before !== undefined) return []
    return [emitResourceExhausted(exhaustions[errorType], next, operation)]
  }

  #recover(now: number): SpanEffect[] {
    const recovered = this.#exhausted.filter(({ lastAt }) => now - lastAt >= quietMs)
    if (recovered.length === 0) return []
    this.#exhausted = this.#exhausted.filter((one) => !recovered.includes(one))
    return recovered.map((one) => emitResourceRecovered(exhaustions[one.errorType], one))
  }
}
