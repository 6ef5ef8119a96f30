import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-grpc'
import type { SpanExporter } from '@opentelemetry/sdk-trace'

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
