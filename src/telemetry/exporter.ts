import { isLocalHost, withoutProxy } from './otlp-proxy.ts'
import type { OutboxLimits } from './outbox.ts'
import { OTLPTraceExporter } from './sdk.ts'
import type { SpanExporter } from './sdk-types.ts'

export interface ExportLimits extends OutboxLimits {
  /** Milliseconds that any span may wait to be sent, whatever it tells. */
  readonly delayMs: number
}

/**
 * OTLP over gRPC to `endpoint`; one export may take `timeoutMillis`. Headers, compression and certificates are the
 * exporter's own to read (`OTEL_EXPORTER_OTLP_*`). A host of this machine or network is reached without a proxy.
 */
export function otlpExporter(endpoint: string, timeoutMillis: number): SpanExporter {
  const exporter = new OTLPTraceExporter({ url: endpoint, timeoutMillis })
  const { hostname } = new URL(endpoint)
  if (!isLocalHost(hostname)) return exporter
  return {
    // It opens its channel in its first export, and a new one after several deadlines.
    export: (spans, done) => withoutProxy(hostname, () => exporter.export(spans, done)),
    shutdown: () => exporter.shutdown(),
  }
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
