/** A tuple of strings is an enumeration, which bounds the cardinality. */
export type AttributeType = 'string' | 'int' | 'double' | 'boolean' | 'string[]' | readonly string[]

/** UCUM, as in OpenTelemetry: `1` for counts and shares. */
export type Unit = 'ms' | 's' | 'By' | '1'

interface Described {
  readonly brief: string
  /** As OpenTelemetry declares it; absent, the attribute is in development. */
  readonly stability?: 'stable'
}

interface NumberSpec extends Described {
  readonly type: 'int' | 'double'
  /** Null for ids and ordinal numbers, and for values of several units. */
  readonly unit: Unit | null
}

interface ValueSpec extends Described {
  readonly type: Exclude<AttributeType, 'int' | 'double'>
  readonly unit?: never
}

export type AttributeSpec = NumberSpec | ValueSpec

/** OpenTelemetry’s requirement levels: Recommended, or Conditionally Required with the condition. */
export type OptionalLevel = 'recommended' | `if ${string}`
