// OTLP as JSON in Jaeger's format: ids in hex, 64-bit numbers as text, attributes sorted by key, no empty fields.

export interface KeyValue {
  readonly key: string
  readonly value: AnyValue
}

export interface AnyValue {
  readonly stringValue?: string
  readonly boolValue?: boolean
  readonly intValue?: string
  readonly doubleValue?: number | string
  readonly arrayValue?: { readonly values?: readonly AnyValue[] }
  readonly kvlistValue?: { readonly values?: readonly KeyValue[] }
  readonly bytesValue?: string
}

export interface Attributed {
  readonly attributes?: readonly KeyValue[]
}

/** Resource and scope, which spans of one export share. */
export interface Origin {
  readonly service: string
  readonly resource: Attributed
  readonly resourceSchema: string
  readonly scope: Attributed & { readonly name?: string; readonly version?: string }
  readonly scopeSchema: string
}

/** A stored span: its searchable fields, and its JSON for responses. */
export interface SpanRecord {
  readonly traceId: string
  readonly name: string
  readonly kind: string
  /** Milliseconds since 1970, with fractions; and milliseconds. */
  readonly startMs: number
  readonly durationMs: number
  readonly origin: Origin
  readonly text: string
  /** Hashes of its searchable pairs; those of a packed span are in its chunk's filter. */
  readonly hashes?: readonly number[]
}
