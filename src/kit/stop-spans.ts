import { emitSpan, type SpanEffect } from '../catalogue/span-effect.ts'
import type { Random } from '../core/machine.ts'
import type { CloseStep } from '../core/owner.ts'
import { newTrace } from '../core/trace.ts'

/** A stop in one trace: its cause, and each closing step with its duration and error. */
export function stopSpans(cause: string, uptimeMs: number, steps: readonly CloseStep[], random: Random): SpanEffect[] {
  const ref = newTrace(random)
  const attributes = { 'mesh.node.uptime_ms': Math.round(uptimeMs), 'mesh.node.stop_cause': cause }
  return [
    emitSpan('mesh.node.stopped', attributes, { ref, parent: null }),
    ...steps.map((step) =>
      emitSpan(
        'mesh.node.step',
        {
          'mesh.step.name': step.name,
          'mesh.step.duration_ms': Math.round(step.durationMs),
          'mesh.step.error': step.error ?? '',
        },
        { parent: ref },
      ),
    ),
  ]
}
