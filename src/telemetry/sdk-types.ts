import type { Attributes, Context, HrTime, Link, Span, SpanContext, SpanKind, SpanStatus } from '@opentelemetry/api'

// Types of the OpenTelemetry SDK as far as the kit uses them. The SDK itself is bundled into the published kit, so an
// application may have none, or another major version; its types must not be needed to compile against the kit.

/** An ended span, for exporters. */
export interface ReadableSpan {
  readonly name: string
  readonly kind: SpanKind
  readonly spanContext: () => SpanContext
  readonly parentSpanContext?: SpanContext
  readonly startTime: HrTime
  readonly endTime: HrTime
  readonly status: SpanStatus
  readonly attributes: Attributes
  readonly links: Link[]
  readonly events: SpanEvent[]
  readonly duration: HrTime
  readonly ended: boolean
  readonly resource: Resource
  readonly instrumentationScope: InstrumentationScope
  readonly droppedAttributesCount: number
  readonly droppedEventsCount: number
  readonly droppedLinksCount: number
}

export interface SpanEvent {
  time: HrTime
  name: string
  attributes?: Attributes
  droppedAttributesCount?: number
}

export interface InstrumentationScope {
  readonly name: string
  readonly version?: string
  readonly schemaUrl?: string
}

export interface Resource {
  readonly asyncAttributesPending?: boolean
  readonly attributes: Attributes
  readonly schemaUrl?: string
  waitForAsyncAttributes?(): Promise<void>
  merge(other: Resource | null): Resource
  getRawAttributes(): [string, Attributes[string] | Promise<Attributes[string]>][]
}

/**
 * A span processor of any major version of the SDK: TypeScript compares method parameters both ways, so one that
 * requires more of a span is accepted too.
 */
export interface SpanProcessor {
  onStart(span: Span & ReadableSpan, parentContext: Context): void
  onEnding?(span: Span & ReadableSpan): void
  onEnd(span: ReadableSpan): void
  forceFlush(): Promise<void>
  shutdown(): Promise<void>
}

export interface SpanExporter {
  export(spans: ReadableSpan[], onResult: (result: { code: number; error?: Error }) => void): void
  shutdown(): Promise<void>
  forceFlush?(): Promise<void>
}

export interface IdGenerator {
  generateTraceId(): string
  generateSpanId(): string
}

/** `decision`: 0 neither recorded nor exported, 1 recorded, 2 recorded and exported. */
export interface SamplingResult {
  decision: 0 | 1 | 2
  attributes?: Readonly<Attributes>
}

export interface Sampler {
  shouldSample(
    context: Context,
    traceId: string,
    spanName: string,
    spanKind: SpanKind,
    attributes: Attributes,
    links: Link[],
  ): SamplingResult
  toString(): string
}
