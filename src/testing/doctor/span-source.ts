import { createHash } from 'node:crypto'
import type { TraceSpan, Value } from '../../traces/trace.ts'

/** Spans as OTLP in JSON; ids that tests made up become hex. */
export function resourceSpansOf(spans: readonly TraceSpan[]): object[] {
  return [...Map.groupBy(spans, ({ resource }) => resource)].map(([resource, all]) => ({
    resource: { attributes: pairs({ 'service.name': all[0]?.service ?? '', ...resource }) },
    scopeSpans: [{ scope: all[0]?.scope, spans: all.map(otlpSpan) }],
  }))
}

/** A line as the Collector’s file exporter writes it. */
export function lineOf(spans: readonly TraceSpan[]): string {
  return `${JSON.stringify({ resourceSpans: resourceSpansOf(spans) })}\n`
}

function otlpSpan({ traceId, spanId, parentSpanId, name, startMs, durationMs, attributes }: TraceSpan): object {
  const nano = (ms: number) => `${BigInt(Math.round(ms * 1_000))}000`
  return {
    traceId: hex(traceId, 32),
    spanId: hex(spanId, 16),
    ...(parentSpanId !== '' && { parentSpanId: hex(parentSpanId, 16) }),
    name,
    startTimeUnixNano: nano(startMs),
    endTimeUnixNano: nano(startMs + durationMs),
    attributes: pairs(attributes),
  }
}

function hex(id: string, digits: number): string {
  return new RegExp(`^[0-9a-f]{${digits}}$`).test(id)
    ? id
    : createHash('sha256').update(id).digest('hex').slice(0, digits)
}

function pairs(values: TraceSpan['attributes']): object[] {
  return Object.entries(values).map(([key, value]) => ({ key, value: otlpValue(value) }))
}

function otlpValue(value: Value): object {
  if (typeof value === 'string') return { stringValue: value }
  if (typeof value === 'boolean') return { boolValue: value }
  if (typeof value === 'number')
    return Number.isSafeInteger(value) ? { intValue: String(value) } : { doubleValue: value }
  return { arrayValue: { values: value.map((entry) => otlpValue(entry)) } }
}

/** A trace store in place of a server: it returns whole traces, the newest first, as many as asked for. */
export class SpanSource {
  spans: readonly TraceSpan[]
  /** Then no request has an answer. */
  isAway = false
  /** Spans that start later are not there yet. */
  untilMs = Number.POSITIVE_INFINITY
  searches = 0

  constructor(spans: readonly TraceSpan[]) {
    this.spans = spans
  }

  readonly fetch = (async (input: string) => {
    if (this.isAway) throw new TypeError('connect ECONNREFUSED')
    return new Response(JSON.stringify(this.#answer(new URL(input))), {
      headers: { 'content-type': 'application/json' },
    })
  }) as unknown as typeof fetch

  #answer(url: URL): object {
    const there = this.spans.filter(({ startMs }) => startMs < this.untilMs)
    if (url.pathname.endsWith('/services')) return { services: [...new Set(there.map(({ service }) => service))] }
    if (url.pathname.endsWith('/operations'))
      return { operations: [...new Set(there.map(({ name }) => name))].map((name) => ({ name })) }
    this.searches++
    const get = (key: string) => url.searchParams.get(`query.${key}`)
    const [fromMs, toMs] = [Date.parse(get('startTimeMin') ?? ''), Date.parse(get('startTimeMax') ?? '')]
    const name = get('operationName')
    const matching = there.filter(
      (span) =>
        span.service === get('serviceName') &&
        span.startMs >= fromMs &&
        span.startMs <= toMs &&
        (name === null || span.name === name),
    )
    const newest = matching.toSorted((a, b) => b.startMs - a.startMs).map(({ traceId }) => traceId)
    const traces = [...new Set(newest)].slice(0, Number(get('searchDepth')))
    return { result: { resourceSpans: resourceSpansOf(there.filter(({ traceId }) => traces.includes(traceId))) } }
  }
}
