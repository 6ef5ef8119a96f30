import type { Attributes, Tracer } from '@opentelemetry/api'
import { OTLPTraceExporter as GrpcExporter } from '@opentelemetry/exporter-trace-otlp-grpc'
import * as resources from '@opentelemetry/resources'
import { TracerProvider as SdkProvider } from '@opentelemetry/sdk-trace'
import type { IdGenerator, Resource, Sampler, SpanExporter, SpanProcessor } from './sdk-types.ts'

// All that the kit loads of the OpenTelemetry SDK. The build replaces this one module by a bundle with the SDK and gRPC
// inside and `@opentelemetry/api` outside: the SDK demands an API as new as itself, and the application may have an
// older one, or an SDK of another major version.

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

/** What the SDK says of itself: its name, language and version. */
export const defaultResource: () => Resource = resources.defaultResource

/** What `OTEL_RESOURCE_ATTRIBUTES` and `OTEL_SERVICE_NAME` say. */
export function environmentResource(): Resource {
  return resources.detectResources({ detectors: [resources.envDetector] })
}
