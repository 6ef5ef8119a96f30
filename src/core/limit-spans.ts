import type { SpanEffect } from '../catalogue/span-effect.ts'
import { type LimitName, limits } from './limits.ts'
import { emitLimitReached, type LimitAction } from './spans/node.ts'

const spanIntervalMs = 1_000

/** Whom a refusal concerns, and the value in force if it is not the default. */
export interface RefusalDetail {
  readonly peer?: string | undefined
  /** IP address, or IPv6 prefix. */
  readonly address?: string | undefined
  readonly value?: number | undefined
}

/**
 * Counts the refusals of a node by limit, and emits at most one span per limit and second, because refusals may come by
 * the thousand.
 */
export class LimitSpans {
  #emittedAt: { readonly [L in LimitName]?: number } = {}
  #counts: { readonly [L in LimitName]?: number } = {}

  /** Refusals since the start, by limit; a limit that was never reached is missing. */
  get counts(): { readonly [L in LimitName]?: number } {
    return this.#counts
  }

  emit(limit: LimitName, action: LimitAction, now: number, detail: RefusalDetail = {}): SpanEffect[] {
    const total = (this.#counts[limit] ?? 0) + 1
    this.#counts = { ...this.#counts, [limit]: total }
    if (now - (this.#emittedAt[limit] ?? -Infinity) < spanIntervalMs) return []
    this.#emittedAt = { ...this.#emittedAt, [limit]: now }
    const { peer, address, value = limits[limit] } = detail
    return [emitLimitReached({ limit, value, action, total, peer, address })]
  }
}
