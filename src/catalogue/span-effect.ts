import type { AttributeType } from './attribute-spec.ts'
import type { AttributeName, attributes } from './attributes.ts'
import type { SpanName, SpanSpec, spans } from './spans.ts'

type ValueOf<T extends AttributeType> = T extends readonly (infer V extends string)[]
  ? V
  : T extends 'string'
    ? string
    : T extends 'int' | 'double'
      ? number
      : T extends 'boolean'
        ? boolean
        : readonly string[]

type Value<A extends AttributeName> = ValueOf<(typeof attributes)[A]['type']>
type Optional<N extends SpanName> = (typeof spans)[N] extends { optional: infer O } ? keyof O & AttributeName : never

/** Required and optional attributes of a span, exactly as declared. */
export type AttributesOf<N extends SpanName> = {
  readonly [A in (typeof spans)[N]['attributes'][number]]: Value<A>
} & { readonly [A in Optional<N>]?: Value<A> }

/** Reference to a span: W3C trace context ids in lower-case hex (16 and 8 bytes). */
export interface TraceRef {
  readonly traceId: string
  readonly spanId: string
  /** False for a span of another process that it does not export: it is no parent and no link. */
  readonly sampled?: false
}

/** Position of a span in its trace. */
export interface Placement {
  /** Its own ids: for a span that will have children or links to it. */
  readonly ref?: TraceRef
  /** Its parent; null starts a trace; absent, the node's current window. */
  readonly parent?: TraceRef | null
  readonly links?: readonly TraceRef[]
  /** Start in monotonic milliseconds; absent, the span is a point in time. */
  readonly since?: number
  /** The operation failed: the span's status is ERROR. */
  readonly failed?: boolean
  /** Overrides the declared kind, for a span whose kind depends on the case. */
  readonly kind?: NonNullable<SpanSpec['kind']>
}

/** A span as an effect; it ends when the node emits it. */
export type SpanEffect = { [N in SpanName]: SpanEffectOf<N> }[SpanName]

export interface SpanEffectOf<N extends SpanName> extends Placement {
  readonly do: 'emit-span'
  readonly span: N
  readonly attributes: AttributesOf<N>
}

/** Builds every span of the code base: a wrong name, attribute or value does not compile. */
export function emitSpan<N extends SpanName>(span: N, attributes: AttributesOf<N>, place: Placement = {}): SpanEffect {
  return { do: 'emit-span', span, attributes, ...place } as unknown as SpanEffect
}

/** A declaration with its defaults. */
export function specOf(table: typeof spans, name: SpanName): SpanSpec & Required<Pick<SpanSpec, 'log'>> {
  return { log: 'info', ...table[name] }
}

/** Every attribute that a span of this name may have, required ones first. */
export function attributesOf({ attributes, optional = {} }: SpanSpec): readonly AttributeName[] {
  return [...attributes, ...(Object.keys(optional) as AttributeName[])]
}
