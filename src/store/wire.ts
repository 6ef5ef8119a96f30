import { fileURLToPath } from 'node:url'
import {
  type GrpcObject,
  loadPackageDefinition,
  type MethodDefinition,
  type ServiceClientConstructor,
} from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'

// Requests of OTLP as `@grpc/proto-loader` decodes them by `otlp.proto`.

/** 64 bits in two halves: the decimal text that `@grpc/proto-loader` also offers costs ten times as much. */
export interface Wire64 {
  readonly low: number
  readonly high: number
  readonly unsigned: boolean
}

export interface WireRequest {
  readonly resource_spans: readonly WireResourceSpans[]
}

/** A decoded request, without its unreadable spans. */
export interface DecodedRequest extends WireRequest {
  /** Number of spans that could not be decoded. */
  readonly unreadable: number
}

/** A part of a request whose resource, scopes and spans are still encoded. */
interface WirePieces {
  readonly resource: Buffer
  readonly scope_spans: readonly {
    readonly scope: Buffer
    readonly spans: readonly Buffer[]
    readonly schema_url: string
  }[]
  readonly schema_url: string
}

interface WireAttributed {
  readonly attributes: readonly WireKeyValue[]
  readonly dropped_attributes_count: number
}

export interface WireResourceSpans {
  readonly resource: WireAttributed | null
  readonly scope_spans: readonly WireScopeSpans[]
  readonly schema_url: string
}

export interface WireScopeSpans {
  readonly scope: WireScope | null
  readonly spans: readonly WireSpan[]
  readonly schema_url: string
}

interface WireScope extends WireAttributed {
  readonly name: string
  readonly version: string
}

interface WireSpanContext {
  readonly trace_id: Buffer
  readonly span_id: Buffer
  readonly trace_state: string
  readonly flags: number
}

export interface WireSpan extends WireSpanContext, WireAttributed {
  readonly parent_span_id: Buffer
  readonly name: string
  readonly kind: number
  readonly start_time_unix_nano: Wire64
  readonly end_time_unix_nano: Wire64
  readonly events: readonly WireEvent[]
  readonly dropped_events_count: number
  readonly links: readonly WireLink[]
  readonly dropped_links_count: number
  readonly status: { readonly code: number; readonly message: string } | null
}

export interface WireEvent extends WireAttributed {
  readonly time_unix_nano: Wire64
  readonly name: string
}

export type WireLink = WireSpanContext & WireAttributed

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
  readonly int_value?: Wire64
  readonly double_value?: number
  readonly array_value?: { readonly values: readonly WireValue[] }
  readonly kvlist_value?: { readonly values: readonly WireKeyValue[] }
  readonly bytes_value?: Buffer
}

export interface WireResponse {
  readonly partial_success?: { readonly rejected_spans: number | Wire64; readonly error_message: string }
}

type Export = MethodDefinition<WireRequest, WireResponse>

/** OTLP's `TraceService`, for a server or a client of `@grpc/grpc-js`. */
export function traceService(): { readonly Export: Export } {
  return loadService('TraceService') as { readonly Export: Export }
}

/** Decoders for the parts of a request; never served. */
interface Pieces {
  readonly Request: MethodDefinition<{ readonly resource_spans: readonly WirePieces[] }, object>
  readonly Resource: MethodDefinition<NonNullable<WireResourceSpans['resource']>, object>
  readonly Scope: MethodDefinition<WireScope, object>
  readonly Span: MethodDefinition<WireSpan, object>
}

/** Reads `otlp.proto` beside this file. */
function loadService(name: string): object {
  const file = fileURLToPath(new URL('otlp.proto', import.meta.url))
  const loaded = loadPackageDefinition(loadSync(file, { keepCase: true, defaults: true, oneofs: true }))
  const path = ['opentelemetry', 'proto', 'collector', 'trace', 'v1', name]
  const definition = path.reduce<unknown>((at, part) => (at as GrpcObject)[part], loaded)
  return (definition as ServiceClientConstructor).service
}

/** The decimal digits of a 64-bit number. */
export function decimal({ low, high, unsigned }: Wire64): string {
  if (high === 0) return String(low >>> 0)
  const bits = (BigInt(high) << 32n) | BigInt(low >>> 0)
  return String(unsigned ? BigInt.asUintN(64, bits) : bits)
}

/** 15,625 times 2^32 nanoseconds, which is an integer number of milliseconds. */
const [stretch, stretchMs] = [15_625, 67_108_864]

/** Converts nanoseconds to milliseconds with fractions, rounding once. */
export function milliseconds({ low, high }: Wire64): number {
  const upper = high >>> 0
  const rest = (upper % stretch) * 4_294_967_296 + (low >>> 0)
  return Math.floor(upper / stretch) * stretchMs + rest / 1e6
}

/**
 * Creates a decoder of export requests. If a request as such cannot be decoded, it is decoded span by span: unreadable
 * spans (nested too deep, cut short, not UTF-8) are counted, the others retained.
 *
 * The decoder throws the protobuf error if no span is readable.
 */
export function createDecoder(): (body: Uint8Array) => DecodedRequest {
  const { requestDeserialize } = traceService().Export
  const decoders = loadService('Pieces') as unknown as Pieces
  return (body) => {
    const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
    try {
      return { ...requestDeserialize(bytes), unreadable: 0 }
    } catch (error) {
      const decoded = decodePiecewise(decoders, bytes)
      if (decoded === undefined) throw error
      return decoded
    }
  }
}

/** Undefined if no span is readable. */
function decodePiecewise(decoders: Pieces, bytes: Buffer): DecodedRequest | undefined {
  const pieces = tryOrUndefined(() => decoders.Request.requestDeserialize(bytes).resource_spans) ?? []
  const resource_spans = pieces.flatMap(({ resource, scope_spans, schema_url }): WireResourceSpans[] => {
    const decoded = decodeOptional(resource, decoders.Resource)
    if (decoded === undefined) return []
    const scopes = scope_spans.flatMap((part) => decodeScopeSpans(part, decoders) ?? [])
    return [{ resource: decoded, scope_spans: scopes, schema_url }]
  })
  const readable = countSpans(resource_spans)
  return readable === 0 ? undefined : { resource_spans, unreadable: countSpans(pieces) - readable }
}

function countSpans(
  parts: readonly { readonly scope_spans: readonly { readonly spans: readonly unknown[] }[] }[],
): number {
  return parts.flatMap(({ scope_spans }) => scope_spans).reduce((sum, { spans }) => sum + spans.length, 0)
}

/** Undefined if the scope itself is unreadable: all its spans need it. */
function decodeScopeSpans(
  part: WirePieces['scope_spans'][number],
  { Scope, Span }: Pieces,
): WireScopeSpans | undefined {
  const scope = decodeOptional(part.scope, Scope)
  if (scope === undefined) return undefined
  const spans = part.spans.flatMap((bytes): WireSpan[] => tryOrUndefined(() => [Span.requestDeserialize(bytes)]) ?? [])
  return { scope, spans, schema_url: part.schema_url }
}

/** Null if absent, undefined if unreadable. */
function decodeOptional<T>(bytes: Buffer, decoder: MethodDefinition<T, object>): T | null | undefined {
  return bytes.length === 0 ? null : tryOrUndefined(() => decoder.requestDeserialize(bytes))
}

/** Undefined if `run` throws, including stack overflow. */
function tryOrUndefined<T>(run: () => T): T | undefined {
  try {
    return run()
  } catch {
    return undefined
  }
}
