// OTLP as JSON, the way Jaeger answers it: ids in hex, 64-bit numbers as text, attributes in the order of their keys,
// and nothing that is empty.

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

/** What spans of one export share. */
export interface Origin {
  readonly service: string
  readonly resource: Attributed
  readonly resourceSchema: string
  readonly scope: Attributed & { readonly name?: string; readonly version?: string }
  readonly scopeSchema: string
}

/** A span as it is kept: what is searched by, and its JSON as it is answered. */
export interface SpanRecord {
  readonly traceId: string
  readonly name: string
  readonly kind: string
  /** Milliseconds since 1970, with fractions; and milliseconds. */
  readonly startMs: number
  readonly durationMs: number
  readonly origin: Origin
  readonly text: string
  /** Of what it can be searched by; those of a packed span are in its chunk's filter. */
  readonly hashes?: readonly number[]
}
