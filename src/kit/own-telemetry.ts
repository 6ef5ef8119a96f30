import type { Clock } from '../core/machine.ts'
import type { MeshLogger } from '../telemetry/log.ts'
import { findOtlpProblems, isExportOff } from '../telemetry/otlp-settings.ts'
import { silentTelemetry } from '../telemetry/span-emitter.ts'
import type { Telemetry } from '../telemetry/telemetry.ts'
import { faultyLimits } from './faults.ts'
import type { ResolvedOptions } from './init.ts'
import { version } from './version.ts'

interface OwnTelemetryOptions {
  readonly config: ResolvedOptions
  /** Own peer id. */
  readonly peer: string
  readonly incarnation: number
  readonly clock: Clock
}

/** Starts the mesh's own telemetry. Only here it loads the SDK, and only if it exports spans. */
export async function startOwnTelemetry(options: OwnTelemetryOptions): Promise<Telemetry> {
  const { config, peer, incarnation, clock } = options
  const { mesh, name, role, otlp, traceRoutine, spanProcessor, logger, faults, random } = config
  const isOff = otlp === 'off' || isExportOff()
  if (spanProcessor === undefined && (isOff || warnOfUnsupportedOtlp(logger, otlp))) return silentTelemetry(random)
  const { startTelemetry } = await import('../telemetry/telemetry.ts')
  return startTelemetry({
    clock,
    resource: { meshId: mesh, nodeName: name, role, incarnation, peer, version },
    endpoint: otlp,
    traceRoutine,
    logger: (level, message, fields) => logger[level](fields, message),
    spanProcessor,
    limits: faultyLimits(faults),
  })
}

/**
 * Whether OpenTelemetry's variables require something that this exporter does not support. In an application they may
 * be meant for its own SDK, so the mesh starts without export, and warns even without a logger.
 */
function warnOfUnsupportedOtlp(logger: MeshLogger, otlp: string | undefined): boolean {
  const problems = findOtlpProblems(otlp)
  for (const { code, message } of problems) {
    const text = `spans of the mesh are not exported: ${message}`
    if (logger.isLevelEnabled('warn')) logger.warn(text)
    else process.emitWarning(text, { type: 'TracemeshWarning', code })
  }
  return problems.length > 0
}
