import { emitSpan, type SpanEffect } from '../catalogue/span-effect.ts'
import { limits } from './limits.ts'

export type LimitName = keyof typeof limits

const spanIntervalMs = 1_000

/** Emits spans for reached limits, at most one per limit and second, because refusals may come by the thousand. */
export class LimitSpans {
  #emittedAt: { readonly [L in LimitName]?: number } = {}

  emit(
    limit: LimitName,
    action: 'refused' | 'closed' | 'evicted',
    now: number,
    peer?: string,
    value: number = limits[limit],
  ): SpanEffect[] {
    if (now - (this.#emittedAt[limit] ?? -Infinity) < spanIntervalMs) return []
    this.#emittedAt = { ...this.#emittedAt, [limit]: now }
    const bound = { 'mesh.limit.name': limit, 'mesh.limit.value': value, 'mesh.limit.action': action } as const
    return [emitSpan('mesh.limit.reached', { ...bound, ...(peer !== undefined && { 'mesh.peer.id': peer }) })]
  }
}
