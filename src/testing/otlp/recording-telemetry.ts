import type { SpanEffect } from '../../catalogue/span-effect.ts'
import { spanIn, type TraceRef } from '../../core/trace.ts'
import type { Telemetry } from '../../telemetry/telemetry.ts'
import { SpanContract } from '../span-contract.ts'

/** Telemetry that records its spans, and throws when one is not as declared. */
export function recordingTelemetry(): { readonly telemetry: Telemetry; readonly spans: SpanEffect[] } {
  const spans: SpanEffect[] = []
  const contract = new SpanContract()
  const emit = (effect: SpanEffect, window: TraceRef | undefined) => {
    const { parent = window, ref = spanIn(parent ?? undefined, Math.random), links = [] } = effect
    const checked = { ...effect, node: 'own', parent, ref: effect.ref, links }
    const problems = contract.check(checked)
    if (problems.length > 0) throw new Error(problems.join('; '))
    contract.add({ ...checked, ref })
    spans.push(effect)
    return ref
  }
  const telemetry: Telemetry = {
    emit,
    window: undefined,
    exports: true,
    flush: async () => ({ left: 0 }),
    close: async () => ({ lost: 0 }),
    stats: { emitted: 0, exported: 0, queued: 0, lostTotal: 0, sampledOut: 0 },
  }
  return { spans, telemetry }
}
