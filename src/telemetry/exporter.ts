import { isLocalHost, withoutProxy } from './otlp-proxy.ts'
import type { OutboxLimits } from './outbox.ts'
import { OTLPTraceExporter } from './sdk.ts'
import type { SpanExporter } from './sdk-types.ts'

export interface ExportLimits extends OutboxLimits {
  /** Longest delay before a span is sent, in milliseconds, for routine and other spans alike. */
  readonly delayMs: number
}

/**
 * OTLP over gRPC to `endpoint`; one export may take `timeoutMillis`. The exporter itself reads headers, compression and
 * certificates (`OTEL_EXPORTER_OTLP_*`). It reaches a host on this machine or network without a proxy.
 */
export function createOtlpExporter(endpoint: string, timeoutMillis: number): SpanExporter {
  const exporter = new OTLPTraceExporter({ url: endpoint, timeoutMillis })
  const { hostname } = new URL(endpoint)
  if (!isLocalHost(hostname)) return exporter
  return {
    // The exporter opens its channel in the first export, and a new one after several deadlines.
    export: (spans, done) => withoutProxy(hostname, () => exporter.export(spans, done)),
    shutdown: () => exporter.shutdown(),
  }
}

/** Reads OpenTelemetry's batching variables; a value that is not a positive integer is ignored. */
export function limitsFromEnv(env: NodeJS.ProcessEnv = process.env): Partial<ExportLimits> {
  const limits: Record<string, number> = {}
  for (const [key, variable] of variables) {
    const value = Number(env[variable])
    if (Number.isSafeInteger(value) && value > 0) limits[key] = value
  }
  return limits
}

const variables: readonly (readonly [keyof ExportLimits, string])[] = [
  ['delayMs', 'OTEL_BSP_SCHEDULE_DELAY'],
  ['batchSpans', 'OTEL_BSP_MAX_EXPORT_BATCH_SIZE'],
  ['spans', 'OTEL_BSP_MAX_QUEUE_SIZE'],
]
