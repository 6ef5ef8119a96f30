import type { SpanEffect } from '../catalogue/span-effect.ts'
import { type LimitName, limits } from './limits.ts'
import { emitLimitReached, type LimitAction } from './spans/limit.ts'

const spanIntervalMs = 1_000

/** Emits spans for reached limits, at most one per limit and second, because refusals may come by the thousand. */
export class LimitSpans {
  #emittedAt: { readonly [L in LimitName]?: number } = {}

  emit(limit: LimitName, action: LimitAction, now: number, peer?: string, value: number = limits[limit]): SpanEffect[] {
    if (now - (this.#emittedAt[limit] ?? -Infinity) < spanIntervalMs) return []
    this.#emittedAt = { ...this.#emittedAt, [limit]: now }
    return [emitLimitReached(limit, value, action, peer)]
  }
}
