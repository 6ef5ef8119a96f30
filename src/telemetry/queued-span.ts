import type { Attributes, HrTime, Link, SpanContext, SpanKind, SpanStatus } from '@opentelemetry/api'
import type { Loss, QueueItem } from './outbox.ts'
import type { ReadableSpan } from './sdk-types.ts'

const emptyList: never[] = []

/**
 * An ended span that waits for the receiver, with the exported fields only. The SDK's own object is several times as
 * large, and keeps its tracer alive.
 */
export class QueuedSpan implements ReadableSpan, QueueItem {
  readonly bytes: number
  readonly loss: Loss | undefined
  readonly name: string
  readonly kind: SpanKind
  readonly parentSpanContext?: SpanContext
  readonly status: SpanStatus
  readonly attributes: Attributes
  readonly links: Link[]
  readonly resource: ReadableSpan['resource']
  readonly instrumentationScope: ReadableSpan['instrumentationScope']
  /** Our spans have no events and drop nothing; spans of other instrumentation may. */
  readonly events: ReadableSpan['events']
  readonly droppedAttributesCount: number
  readonly droppedEventsCount: number
  readonly droppedLinksCount: number
  readonly #context: SpanContext
  readonly #startMs: number
  readonly #endMs: number

  /** Retains `attributes` themselves, not the SDK's copy of them. */
  constructor(span: ReadableSpan, attributes: Attributes, loss?: Loss) {
    this.name = span.name
    this.kind = span.kind
    this.status = span.status
    this.attributes = attributes
    this.links = span.links.length === 0 ? emptyList : span.links
    this.events = span.events.length === 0 ? emptyList : span.events
    this.droppedAttributesCount = span.droppedAttributesCount
    this.droppedEventsCount = span.droppedEventsCount
    this.droppedLinksCount = span.droppedLinksCount
    this.resource = span.resource
    this.instrumentationScope = span.instrumentationScope
    this.loss = loss
    if (span.parentSpanContext !== undefined) this.parentSpanContext = span.parentSpanContext
    this.#context = span.spanContext()
    this.#startMs = milliseconds(span.startTime)
    this.#endMs = milliseconds(span.endTime)
    this.bytes = estimateBytes(this)
  }

  spanContext(): SpanContext {
    return this.#context
  }

  get startTime(): HrTime {
    return hrTime(this.#startMs)
  }

  get endTime(): HrTime {
    return hrTime(this.#endMs)
  }

  get duration(): HrTime {
    return hrTime(this.#endMs - this.#startMs)
  }

  get ended(): boolean {
    return true
  }
}

export function hrTime(ms: number): HrTime {
  const micros = Math.round(ms * 1_000)
  return [Math.floor(micros / 1e6), (micros % 1e6) * 1_000]
}

function milliseconds([seconds, nanos]: HrTime): number {
  return seconds * 1_000 + nanos / 1e6
}

/** Bytes of the object without its attributes and links, and of one attribute without its text: measured on V8 13. */
const spanBytes = 480
const attributeBytes = 16
const linkBytes = 240
const eventBytes = 500

function estimateBytes(span: ReadableSpan): number {
  let bytes = spanBytes + span.links.length * linkBytes + span.events.length * eventBytes
  for (const value of Object.values(span.attributes)) bytes += attributeBytes + sizeOf(value)
  return bytes
}

function sizeOf(value: unknown): number {
  if (typeof value === 'string') return value.length
  if (!Array.isArray(value)) return 0
  let bytes = 16
  for (const element of value) bytes += 24 + sizeOf(element)
  return bytes
}
