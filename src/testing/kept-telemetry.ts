import type { Tell } from '../catalogue/tell.ts'
import { newTrace } from '../core/trace.ts'
import type { Telemetry } from '../telemetry/telemetry.ts'

/** Telemetry that keeps what it is told. */
export function keptTelemetry(): { readonly telemetry: Telemetry; readonly told: Tell[] } {
  const told: Tell[] = []
  const tell = (effect: Tell) => {
    told.push(effect)
    return effect.ref ?? newTrace(Math.random)
  }
  const telemetry = {
    tell,
    window: undefined,
    exports: true,
    flush: async () => ({ left: 0 }),
    close: async () => ({ lost: 0 }),
    stats: { told: 0, exported: 0, queued: 0, lostTotal: 0, sampledOut: 0 },
  }
  return { told, telemetry }
}
