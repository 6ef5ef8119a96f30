import { fileURLToPath } from 'node:url'
import {
  type GrpcObject,
  loadPackageDefinition,
  type MethodDefinition,
  type ServiceClientConstructor,
} from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'

// Requests of OTLP as `@grpc/proto-loader` decodes them by `otlp.proto`: 64-bit numbers as decimal text.

export interface WireRequest {
  readonly resource_spans: readonly WireResourceSpans[]
}

export interface WireResourceSpans {
  readonly resource: { readonly attributes: readonly WireKeyValue[]; readonly dropped_attributes_count: number } | null
  readonly scope_spans: readonly WireScopeSpans[]
  readonly schema_url: string
}

export interface WireScopeSpans {
  readonly scope: WireScope | null
  readonly spans: readonly WireSpan[]
  readonly schema_url: string
}

export interface WireScope {
  readonly name: string
  readonly version: string
  readonly attributes: readonly WireKeyValue[]
  readonly dropped_attributes_count: number
}

export interface WireSpan {
  readonly trace_id: Buffer
  readonly span_id: Buffer
  readonly trace_state: string
  readonly parent_span_id: Buffer
  readonly name: string
  readonly kind: number
  readonly start_time_unix_nano: string
  readonly end_time_unix_nano: string
  readonly attributes: readonly WireKeyValue[]
  readonly dropped_attributes_count: number
  readonly events: readonly WireEvent[]
  readonly dropped_events_count: number
  readonly links: readonly WireLink[]
  readonly dropped_links_count: number
  readonly status: { readonly code: number; readonly message: string } | null
  readonly flags: number
}

export interface WireEvent {
  readonly time_unix_nano: string
  readonly name: string
  readonly attributes: readonly WireKeyValue[]
  readonly dropped_attributes_count: number
}

export interface WireLink {
  readonly trace_id: Buffer
  readonly span_id: Buffer
  readonly trace_state: string
  readonly attributes: readonly WireKeyValue[]
  readonly dropped_attributes_count: number
  readonly flags: number
}

export interface WireKeyValue {
  readonly key: string
  readonly value: WireValue | null
}

export interface WireValue {
  readonly value?:
    | 'string_value'
    | 'bool_value'
    | 'int_value'
    | 'double_value'
    | 'array_value'
    | 'kvlist_value'
    | 'bytes_value'
  readonly string_value?: string
  readonly bool_value?: boolean
  /** 64 bits, as a decimal text. */
  readonly int_value?: string
  readonly double_value?: number
  readonly array_value?: { readonly values: readonly WireValue[] }
  readonly kvlist_value?: { readonly values: readonly WireKeyValue[] }
  readonly bytes_value?: Buffer
}

export interface WireResponse {
  readonly partial_success?: { readonly rejected_spans: number; readonly error_message: string }
}

type Export = MethodDefinition<WireRequest, WireResponse>

/** OTLP's `TraceService`, for a server or a client of `@grpc/grpc-js`. Reads `otlp.proto` beside this file. */
export function traceService(): { readonly Export: Export } {
  const file = fileURLToPath(new URL('otlp.proto', import.meta.url))
  const loaded = loadPackageDefinition(loadSync(file, { keepCase: true, longs: String, defaults: true, oneofs: true }))
  const path = ['opentelemetry', 'proto', 'collector', 'trace', 'v1', 'TraceService']
  const found = path.reduce<unknown>((at, name) => (at as GrpcObject)[name], loaded)
  return (found as ServiceClientConstructor).service as unknown as { Export: Export }
}
