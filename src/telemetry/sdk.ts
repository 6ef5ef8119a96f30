import type { Attributes, Tracer } from '@opentelemetry/api'
import { OTLPTraceExporter as GrpcExporter } from '@opentelemetry/exporter-trace-otlp-grpc'
import * as resources from '@opentelemetry/resources'
import { TracerProvider as SdkProvider } from '@opentelemetry/sdk-trace'
import type { IdGenerator, Resource, Sampler, SpanExporter, SpanProcessor } from './sdk-types.ts'

// The only module of the kit that loads the OpenTelemetry SDK. The build replaces it by a bundle of SDK and gRPC
// without `@opentelemetry/api`: the SDK demands an API as new as itself, and the application may have an older one, or
// an SDK of another major version.

export const OTLPTraceExporter: new (config: { url?: string; timeoutMillis?: number }) => SpanExporter = GrpcExporter

interface TracerProviderOptions {
  readonly resource: Resource
  readonly sampler: Sampler
  readonly idGenerator: IdGenerator
  readonly spanProcessors: SpanProcessor[]
}

interface TracerProvider {
  getTracer(name: string, version?: string, options?: { schemaUrl?: string }): Tracer
  shutdown(): Promise<void>
}

export const TracerProvider: new (options: TracerProviderOptions) => TracerProvider = SdkProvider

export const resourceFromAttributes: (attributes: Attributes) => Resource = resources.resourceFromAttributes

/** The SDK's name, language and version. */
export const defaultResource: () => Resource = resources.defaultResource

/** Reads `OTEL_RESOURCE_ATTRIBUTES` and `OTEL_SERVICE_NAME`. */
export function environmentResource(): Resource {
  return resources.detectResources({ detectors: [resources.envDetector] })
}
