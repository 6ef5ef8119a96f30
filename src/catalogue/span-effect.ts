import type { AttributeName, AttributeType, attributes } from './attributes.ts'
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
type Optional<N extends SpanName> = (typeof spans)[N] extends { optional: readonly (infer A extends AttributeName)[] }
  ? A
  : never

/** What a span of this name must and may carry: exactly its declaration. */
export type AttributesOf<N extends SpanName> = {
  readonly [A in (typeof spans)[N]['attributes'][number]]: Value<A>
} & { readonly [A in Optional<N>]?: Value<A> }

/** Where a span stands in a trace: W3C trace context ids in lower-case hex (16 and 8 bytes). */
export interface TraceRef {
  readonly traceId: string
  readonly spanId: string
}

/** How a span stands in its trace. */
export interface Placement {
  /** Ids of its own: for spans that others will be children of, or link to. */
  readonly ref?: TraceRef
  /** Its parent; null starts a trace; left out, it belongs to the node's current window. */
  readonly parent?: TraceRef | null
  readonly links?: readonly TraceRef[]
  /** Monotonic milliseconds at which it began; left out, it is a point in time. */
  readonly since?: number
  /** The operation failed: the span's status is ERROR. */
  readonly failed?: boolean
  /** For a span whose kind depends on the case; left out, its declaration has it. */
  readonly kind?: NonNullable<SpanSpec['kind']>
}

/** A span as an effect: ended when it is told. */
export type SpanEffect = { [N in SpanName]: SpanEffectOf<N> }[SpanName]

export interface SpanEffectOf<N extends SpanName> extends Placement {
  readonly do: 'emit-span'
  readonly span: N
  readonly attributes: AttributesOf<N>
}

/** The only way the rest of the code speaks of spans: a wrong name, attribute or value does not compile. */
export function emitSpan<N extends SpanName>(span: N, attributes: AttributesOf<N>, place: Placement = {}): SpanEffect {
  return { do: 'emit-span', span, attributes, ...place } as unknown as SpanEffect
}

/** A declaration, with its type widened for those that walk over all of them. */
export function specOf(table: typeof spans, name: SpanName): SpanSpec {
  return table[name]
}
