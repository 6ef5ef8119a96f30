import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-grpc'
import type { SpanExporter } from '@opentelemetry/sdk-trace'
import type { OutboxLimits } from './outbox.ts'

export interface ExportLimits extends OutboxLimits {
  /** Milliseconds that any span may wait to be sent, whatever it tells. */
  readonly delayMs: number
}

/** Whether the operator has switched traces off, by the variables that OpenTelemetry names for it. */
export function exportingIsOff(env: NodeJS.ProcessEnv = process.env): boolean {
  return env['OTEL_SDK_DISABLED']?.trim().toLowerCase() === 'true' || env['OTEL_TRACES_EXPORTER']?.trim() === 'none'
}

/**
 * OTLP over gRPC to `endpoint`, unless a variable names another. Headers, timeout, compression and certificates are the
 * exporter's own to read (`OTEL_EXPORTER_OTLP_*`).
 */
export function otlpExporter(endpoint: string | undefined, env: NodeJS.ProcessEnv = process.env): SpanExporter {
  const named = env['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT']?.trim() || env['OTEL_EXPORTER_OTLP_ENDPOINT']?.trim()
  return new OTLPTraceExporter(named || endpoint === undefined ? {} : { url: endpoint })
}

/** The variables that OpenTelemetry names for batching. What is no positive integer is left to the defaults. */
export function limitsFromEnv(env: NodeJS.ProcessEnv = process.env): Partial<ExportLimits> {
  const named: Record<string, number> = {}
  for (const [key, variable] of variables) {
    const value = Number(env[variable])
    if (Number.isSafeInteger(value) && value > 0) named[key] = value
  }
  return named
}

const variables: readonly (readonly [keyof ExportLimits, string])[] = [
  ['delayMs', 'OTEL_BSP_SCHEDULE_DELAY'],
  ['batchSpans', 'OTEL_BSP_MAX_EXPORT_BATCH_SIZE'],
  ['spans', 'OTEL_BSP_MAX_QUEUE_SIZE'],
]
