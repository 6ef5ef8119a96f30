import type { Trace, TraceSpan } from './trace.ts'

interface Range {
  readonly fromMs: number
  readonly toMs: number
}

/** Result of one request. */
export interface Page {
  /** Complete traces. */
  readonly traces: readonly Trace[]
  /** Whether there are as many as requested: the store may have more. */
  readonly isFull: boolean
  /** One reason for each span that could not be read. */
  readonly unreadable: readonly string[]
}

interface Limits {
  /** Most traces of one request. */
  readonly count: number
  /** Milliseconds after which no further request begins. */
  readonly ms: number
}

type FetchPage = (range: Range, count: number) => Promise<Page>

/** Requests of one search. Each halves a time range: enough to reach a single millisecond of a week. */
const maxRequests = 64
const defaultLimit = 100

/**
 * Searches, newest first. A store may filter by service, name and time only, so this filters by attributes too. While a
 * response is full, it requests the newer half of the time range on its own.
 */
export async function findTraces(query: Query, limits: Limits, fetchPage: FetchPage): Promise<FindResult> {
  const { fromMs, toMs, limit = defaultLimit, attributes = {} } = validateQuery(query)
  const hasAttributes = Object.keys(attributes).length > 0
  const untilMs = performance.now() + limits.ms
  // One more than the limit shows whether there are more.
  let count = Math.min(limits.count, limit + 1)
  // A store takes as long for a hundred traces as for a million spans without an answer: request only those that lack.
  let onlyMissing = true
  const matches = matcherOf(query)
  const tracesById = new Map<string, Trace>()
  const ranges: Range[] = newestFirst({ fromMs, toMs })
  let requestCount = 0
  let indivisible = 0
  const unreadable = new Set<string>()
  const mayRequest = () => requestCount < maxRequests && performance.now() < untilMs
  while (ranges.length > 0 && tracesById.size <= limit && mayRequest()) {
    requestCount++
    const range = ranges.pop() as Range
    const requested = onlyMissing ? Math.min(count, limit + 1 - tracesById.size) : count
    const page = await fetchPage(range, requested)
    const { traces, isFull } = page
    for (const reason of page.unreadable) unreadable.add(reason)
    if (hasAttributes && requested < limits.count && isFull && !traces.every((trace) => trace.spans.some(matches))) {
      // This store ignores attributes: request as many traces as it returns.
      count = limits.count
      onlyMissing = false
      ranges.push(range)
      continue
    }
    for (const trace of traces) if (trace.spans.some(matches)) addOrExtend(tracesById, trace)
    if (!isFull || tracesById.size > limit) continue
    if (requested < count) {
      // A trace of two ranges was found in both.
      onlyMissing = false
      ranges.push(range)
      continue
    }
    const halves = splitRange(range)
    if (halves.length === 0) indivisible++
    ranges.push(...halves)
  }
  const traces = [...tracesById.values()].sort((a, b) => startOf(b) - startOf(a)).slice(0, limit)
  return { traces, partial: describePartial() }

  function describePartial(): string | undefined {
    if (tracesById.size > limit) return `more than ${limit} traces match; these are the newest`
    if (ranges.length > 0 && requestCount < maxRequests)
      return `gave up after ${limits.ms / 1_000} s; use a shorter time range`
    if (ranges.length > 0) return `gave up after ${maxRequests} requests; use a shorter time range`
    if (indivisible > 0)
      return `more than ${count} traces start within one millisecond, the most that the store returns at once`
    if (unreadable.size > 0) return `unreadable spans are left out: ${[...unreadable].slice(0, 3).join('; ')}`
    return undefined
  }
}

function validateQuery(query: Query): Query {
  const { fromMs, toMs, limit = 1 } = query
  // The range of a Date: an infinite time range cannot be halved.
  const dates = [fromMs, toMs].every((ms) => Math.abs(ms) <= 8.64e15)
  if (!dates || fromMs > toMs) throw new RangeError(`invalid time range: ${fromMs} to ${toMs} ms`)
  if (!Number.isSafeInteger(limit) || limit < 1) throw new RangeError(`limit is ${limit}, not a positive integer`)
  return query
}

/** Whether a span is one that the query searches for. */
export function matcherOf({ service, span: name, fromMs, toMs, attributes = {} }: Query): (span: TraceSpan) => boolean {
  const criteria = Object.entries(attributes)
  return (span) =>
    span.service === service &&
    (name === undefined || span.name === name) &&
    span.startMs >= fromMs &&
    span.startMs <= toMs &&
    criteria.every(([key, value]) => {
      if (span.attributes[key] === value || span.resource[key] === value) return true
      return fieldOf(span, key)?.toLowerCase() === String(value).toLowerCase()
    })
}

/** Fields that Jaeger searches under keys of its own. */
const searchedFields: Readonly<Record<string, (span: TraceSpan) => string>> = {
  error: ({ status }) => String(status === 'error'),
  'span.kind': ({ kind }) => kind,
  'span.status': ({ status }) => status,
  'scope.name': ({ scope }) => scope.name,
  'scope.version': ({ scope }) => scope.version,
}

function fieldOf(span: TraceSpan, key: string): string | undefined {
  if (Object.hasOwn(searchedFields, key)) return searchedFields[key]?.(span)
  return key.startsWith('resource.') ? span.resource[key.slice('resource.'.length)]?.toString() : undefined
}

/** Retains the longer of two versions: a trace in progress has more spans the second time. */
function addOrExtend(tracesById: Map<string, Trace>, trace: Trace): void {
  const previous = tracesById.get(trace.traceId)
  if (previous === undefined || previous.spans.length <= trace.spans.length) tracesById.set(trace.traceId, trace)
}

/** Ranges of at least two hours are searched in two steps. */
const longMs = 7_200_000
/** Share of a long range that is searched first. */
const newestShare = 1 / 32

/**
 * The newest part of a long range on its own, the last one: where it has enough traces, the store need not look at the
 * others, which may be a million; where it has not, few are left to look at.
 */
export function newestFirst({ fromMs, toMs }: Range): Range[] {
  const middle = Math.floor(toMs - (toMs - fromMs) * newestShare)
  if (toMs - fromMs < longMs) return [{ fromMs, toMs }]
  return [
    { fromMs, toMs: middle },
    { fromMs: middle, toMs },
  ]
}

/** Two halves, the newer one last, since the search pops it first. Empty for a range of one millisecond. */
function splitRange({ fromMs, toMs }: Range): Range[] {
  const middle = Math.floor((Math.floor(fromMs) + Math.ceil(toMs)) / 2)
  if (toMs - fromMs <= 1 || middle <= fromMs) return []
  return [
    { fromMs, toMs: middle },
    { fromMs: middle, toMs },
  ]
}

function startOf(trace: Trace): number {
  return trace.spans[0]?.startMs ?? 0
}

export interface Query {
  readonly service: string
  /** Name of a span; default: any. */
  readonly span?: string
  /** Milliseconds since 1970; a span matches if it starts within, both bounds included. */
  readonly fromMs: number
  readonly toMs: number
  /** One span, with its resource, has to match all of them. */
  readonly attributes?: Readonly<Record<string, string | number | boolean>>
  /** Most traces, the newest first; default 100. */
  readonly limit?: number
}

export interface FindResult {
  readonly traces: readonly Trace[]
  /** Why the result is incomplete; undefined if it is complete. */
  readonly partial: string | undefined
}
