import type { Random } from '../core/machine.ts'
import type { TraceRef } from '../core/trace.ts'
import { refOf } from './span-emitter.ts'
import type { Telemetry } from './telemetry.ts'

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
