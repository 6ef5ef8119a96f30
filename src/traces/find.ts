import type { Found, Query } from './query.ts'
import type { Trace, TraceSpan } from './trace.ts'

interface Range {
  readonly fromMs: number
  readonly toMs: number
}

/** What one request found. */
export interface Page {
  /** Whole; at most as many as asked for, and then there may be more. */
  readonly traces: readonly Trace[]
  /** Why spans had to be left out, a reason each. */
  readonly unreadable: readonly string[]
}

type Ask = (range: Range, count: number) => Promise<Page>

/** Requests of one search. Each halves a time: enough to tell milliseconds of a week apart, for one crowd of traces. */
const requests = 64
const defaultLimit = 100

/**
 * Searches, newest first. A store may look at service, name and time only: what else is asked is looked at here, and
 * while an answer is as long as it may be, the newer half of its time is asked for on its own.
 */
export async function find(query: Query, countLimit: number, ask: Ask): Promise<Found> {
  const { fromMs, toMs, limit = defaultLimit, attributes = {} } = checked(query)
  const filtered = Object.keys(attributes).length > 0
  // One more than wanted tells whether there are more.
  let count = Math.min(countLimit, limit + 1)
  const fits = fitting(query)
  const found = new Map<string, Trace>()
  const ranges: Range[] = [{ fromMs, toMs }]
  let asked = 0
  let crowded = 0
  const unreadable = new Set<string>()
  while (ranges.length > 0 && found.size <= limit && asked++ < requests) {
    const range = ranges.pop() as Range
    const page = await ask(range, count)
    const { traces } = page
    for (const reason of page.unreadable) unreadable.add(reason)
    // An unreadable span may have been a trace of its own.
    const full = traces.length + page.unreadable.length >= count
    if (filtered && count < countLimit && full && !traces.every((trace) => trace.spans.some(fits))) {
      // This store does not look at attributes: as many as it tells, then.
      count = countLimit
      ranges.push(range)
      continue
    }
    for (const trace of traces) if (trace.spans.some(fits)) keepLonger(found, trace)
    if (!full || found.size > limit) continue
    const halves = halved(range)
    if (halves.length === 0) crowded++
    ranges.push(...halves)
  }
  const traces = [...found.values()].sort((a, b) => startOf(b) - startOf(a)).slice(0, limit)
  return { traces, partial: why() }

  function why(): string | undefined {
    if (found.size > limit) return `there are more than ${limit} traces; these are the newest`
    if (ranges.length > 0) return `gave up after ${requests} requests; ask for a shorter time`
    if (crowded > 0) return `more than ${count} traces lie within one millisecond, and no more are told at once`
    if (unreadable.size > 0) return `spans that cannot be read are left out: ${[...unreadable].slice(0, 3).join('; ')}`
    return undefined
  }
}

function checked(query: Query): Query {
  const { fromMs, toMs, limit = 1 } = query
  // What a Date can hold: an infinite time cannot be halved.
  const dates = [fromMs, toMs].every((ms) => Math.abs(ms) <= 8.64e15)
  if (!dates || fromMs > toMs) throw new RangeError(`no time is from ${fromMs} to ${toMs} ms`)
  if (!Number.isSafeInteger(limit) || limit < 1) throw new RangeError(`limit is ${limit}, no count of traces`)
  return query
}

function fitting({ service, span: name, fromMs, toMs, attributes = {} }: Query): (span: TraceSpan) => boolean {
  const wanted = Object.entries(attributes)
  return (span) =>
    span.service === service &&
    (name === undefined || span.name === name) &&
    span.startMs >= fromMs &&
    span.startMs <= toMs &&
    wanted.every(([key, value]) => {
      if (span.attributes[key] === value || span.resource[key] === value) return true
      return fieldOf(span, key)?.toLowerCase() === String(value).toLowerCase()
    })
}

/** What Jaeger searches under keys that no span has as attributes. */
function fieldOf(span: TraceSpan, key: string): string | undefined {
  switch (key) {
    case 'error':
      return String(span.status === 'error')
    case 'span.kind':
      return span.kind
    case 'span.status':
      return span.status
    case 'scope.name':
      return span.scope.name
    case 'scope.version':
      return span.scope.version
    default: {
      const shared = key.startsWith('resource.') ? span.resource[key.slice('resource.'.length)] : undefined
      return shared === undefined ? undefined : String(shared)
    }
  }
}

/** A trace that goes on comes with more spans the second time. */
function keepLonger(found: Map<string, Trace>, trace: Trace): void {
  const before = found.get(trace.traceId)
  if (before === undefined || before.spans.length <= trace.spans.length) found.set(trace.traceId, trace)
}

/** The newer half last: it is what is taken first. None when a range cannot be told apart by the API's milliseconds. */
function halved({ fromMs, toMs }: Range): Range[] {
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
