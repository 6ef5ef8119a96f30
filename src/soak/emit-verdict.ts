import { emitSpan } from '../catalogue/span-effect.ts'
import { newTrace } from '../core/trace.ts'
import { systemClock } from '../kit/clock.ts'
import { version } from '../kit/version.ts'
import { startTelemetry } from '../telemetry/telemetry.ts'
import type { SoakReport } from './report.ts'
import type { SoakTarget } from './target.ts'

const flushMs = 5_000

/** Exports the verdict as `mesh.soak.verdict`, beside the spans of the mesh; nothing without a receiver. */
export async function emitVerdict({ otlp, mesh }: SoakTarget, report: SoakReport): Promise<void> {
  if (otlp === undefined || otlp === 'off') return
  const telemetry = startTelemetry({
    clock: systemClock,
    resource: { meshId: mesh, version },
    endpoint: otlp,
  })
  const { verdict, reasons, churn } = report
  const heap = largestBound(report, 'heap')
  const external = largestBound(report, 'external')
  const effect = emitSpan(
    'mesh.soak.verdict',
    {
      'mesh.soak.result': verdict,
      'mesh.soak.reasons': reasons,
      'mesh.soak.lives': churn.lives,
      'mesh.soak.failed': churn.failed,
      'mesh.soak.rate': churn.achieved,
      ...(heap !== undefined && { 'mesh.soak.heap_per_life': heap }),
      ...(external !== undefined && { 'mesh.soak.external_per_life': external }),
    },
    {
      parent: null,
      ref: newTrace(Math.random),
      since: systemClock.now() - report.seconds * 1_000,
      failed: verdict === 'leak',
    },
  )
  telemetry.emit(effect, undefined)
  const { lost } = await telemetry.close(flushMs)
  if (lost > 0) throw new Error(`no answer from ${otlp}`)
}

/** Upper bound of the node where it is largest. */
export function largestBound({ memory }: Pick<SoakReport, 'memory'>, of: 'heap' | 'external'): number | undefined {
  const highs = memory.filter(({ kind }) => kind === of).flatMap(({ perLife }) => perLife?.high ?? [])
  return highs.length === 0 ? undefined : Math.max(...highs)
}
