import type { SpanEffect } from '../../catalogue/span-effect.ts'
import { newTrace } from '../../core/trace.ts'
import type { Telemetry } from '../../telemetry/telemetry.ts'

/** Telemetry that records its spans. */
export function recordingTelemetry(): { readonly telemetry: Telemetry; readonly spans: SpanEffect[] } {
  const spans: SpanEffect[] = []
  const emit = (effect: SpanEffect) => {
    spans.push(effect)
    return effect.ref ?? newTrace(Math.random)
  }
  const telemetry = {
    emit,
    window: undefined,
    exports: true,
    flush: async () => ({ left: 0 }),
    close: async () => ({ lost: 0 }),
    stats: { emitted: 0, exported: 0, queued: 0, lostTotal: 0, sampledOut: 0 },
  }
  return { spans, telemetry }
}
