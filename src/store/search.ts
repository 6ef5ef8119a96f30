import { setImmediate } from 'node:timers/promises'
import { fingerprint } from './bloom-filter.ts'
import { mayMatch, type SpanCriteria } from './chunk.ts'
import { ownPairs, searchedPair, sharedPairs } from './pairs.ts'
import type { Origin, SpanRecord } from './span-record.ts'
import { type SpanStore, traceKey } from './span-store.ts'

export interface SearchQuery extends SpanCriteria {
  /** Milliseconds since 1970; a span has to start within, both bounds included. */
  readonly fromMs: number
  readonly toMs: number
  readonly minDurationMs: number
  readonly maxDurationMs: number
  /** Most traces. */
  readonly count: number
}

/** Longest time slice without yielding to the event loop, in milliseconds: the delay of exports by a search. */
const sliceMs = 10
/** Filters read by one query. */
const filtersPerPage = 128

/** Ids of traces with a span that meets all conditions, latest arrival first. */
export async function search(store: SpanStore, query: SearchQuery, signal: AbortSignal): Promise<string[]> {
  const pause = createPauser(signal)
  const matches = createMatcher(query)
  const traceIds = new Set<string>()
  const isFull = () => traceIds.size >= query.count
  for (const record of store.fresh().toReversed()) {
    if (isFull()) return [...traceIds]
    if (matches(record)) traceIds.add(record.traceId)
  }
  for await (const id of findChunks(store, query, pause)) {
    if (isFull()) break
    for (const record of store.chunk(id).toReversed()) {
      if (isFull()) break
      if (!traceIds.has(record.traceId) && matches(record)) traceIds.add(record.traceId)
    }
    await pause()
  }
  return [...traceIds]
}

/** All spans of a trace in order of arrival, without duplicates, chunk by chunk. */
export async function* spansOfTrace(
  store: SpanStore,
  traceId: string,
  signal: AbortSignal,
): AsyncGenerator<readonly SpanRecord[]> {
  const pause = createPauser(signal)
  const seenFingerprints = new Set<number>()
  // A span appears twice if it was packed meanwhile or received twice.
  const unique = (records: readonly SpanRecord[]) =>
    records.filter(({ traceId: recordTraceId, text }) => {
      if (recordTraceId !== traceId) return false
      const previousSize = seenFingerprints.size
      return seenFingerprints.add(fingerprint(text)).size > previousSize
    })
  const fresh = store.fresh()
  const rows = store.database.prepare('SELECT chunk FROM traces WHERE trace = ? ORDER BY chunk').all(traceKey(traceId))
  for (const { chunk } of rows) {
    yield unique(store.chunk(Number(chunk)))
    await pause()
  }
  yield unique(fresh)
}

async function* findChunks(store: SpanStore, query: SearchQuery, pause: () => Promise<void>): AsyncGenerator<number> {
  const page = store.database.prepare(
    `SELECT id, filter FROM chunks JOIN filters ON chunk = id
      WHERE id < ? AND lastMs >= ? AND firstMs <= ? AND longestMs >= ? AND shortestMs <= ?
      ORDER BY id DESC LIMIT ${filtersPerPage}`,
  )
  const { fromMs, toMs, minDurationMs, maxDurationMs } = query
  const mayMatchChunk = mayMatch(query)
  let beforeId = Number.MAX_SAFE_INTEGER
  for (;;) {
    const rows = page.all(beforeId, fromMs, toMs, minDurationMs, maxDurationMs)
    for (const { id, filter } of rows) if (mayMatchChunk(filter as Uint8Array)) yield Number(id)
    if (rows.length < filtersPerPage) return
    beforeId = Number(rows.at(-1)?.['id'])
    await pause()
  }
}

function createMatcher({ service, name, pairs, fromMs, toMs, minDurationMs, maxDurationMs }: SearchQuery) {
  let last: Origin | undefined
  let shared: readonly string[] = []
  return (record: SpanRecord): boolean => {
    const { origin, startMs, durationMs } = record
    if (service !== '' && origin.service !== service) return false
    if (name !== '' && record.name !== name) return false
    if (startMs < fromMs || startMs > toMs || durationMs < minDurationMs || durationMs > maxDurationMs) return false
    if (pairs.length === 0) return true
    if (origin !== last) shared = sharedPairs(origin)
    last = origin
    const missing = pairs.filter((pair) => !shared.includes(pair))
    if (missing.length === 0) return true
    const own = ownPairs(record)
    return missing.every((pair) => own.includes(pair))
  }
}

/** Yields to the event loop after each time slice; throws the reason of `signal` if it aborts. */
function createPauser(signal: AbortSignal): () => Promise<void> {
  let since = performance.now()
  return async () => {
    if (performance.now() - since < sliceMs) return
    await setImmediate()
    signal.throwIfAborted()
    since = performance.now()
  }
}

/** A missing or invalid parameter; the client gets the message. */
export class ParameterError extends Error {}

export type Parameters = Readonly<Record<string, string | readonly string[] | undefined>>

/** The first value of a repeated parameter counts, as in Jaeger. */
export function firstOf(value: Parameters[string]): string | undefined {
  return typeof value === 'string' ? value : value?.[0]
}

/** Largest and default number of traces of one response. */
const traceCounts = { max: 20_000, default: 100 }
const maxAttributes = 32

const unitsMs: Readonly<Record<string, number>> = { ns: 1e-6, us: 1e-3, µs: 1e-3, ms: 1, s: 1e3, m: 6e4, h: 3.6e6 }

/**
 * Parses the parameters of `/api/v3/traces`, under the names of all Jaeger versions.
 *
 * @throws ParameterError
 */
export function parseSearch(parameters: Parameters): SearchQuery {
  const get = (...names: readonly string[]) => {
    for (const name of names) {
      const first = firstOf(parameters[`query.${name}`])
      if (first !== undefined && first !== '') return { name: `query.${name}`, value: first }
    }
    return undefined
  }
  const [from, to] = [get('startTimeMin', 'start_time_min'), get('startTimeMax', 'start_time_max')]
  if (from === undefined || to === undefined)
    throw new ParameterError('query.start_time_min and query.start_time_max are required')
  const [least, most] = [get('durationMin', 'duration_min'), get('durationMax', 'duration_max')]
  return {
    service: get('serviceName', 'service_name')?.value ?? '',
    name: get('operationName', 'operation_name')?.value ?? '',
    pairs: parsePairs(get('attributes')?.value),
    fromMs: parseTime(from),
    toMs: parseTime(to),
    // A span that ends before its start has a negative duration.
    minDurationMs: (least === undefined ? 0 : parseDuration(least)) || Number.NEGATIVE_INFINITY,
    // In Jaeger zero means no limit.
    maxDurationMs: (most === undefined ? 0 : parseDuration(most)) || Number.POSITIVE_INFINITY,
    count: parseCount(get('searchDepth', 'search_depth', 'num_traces')),
  }
}

interface Parameter {
  readonly name: string
  readonly value: string
}

function parseCount(parameter: Parameter | undefined): number {
  if (parameter === undefined) return traceCounts.default
  const number = Number(parameter.value)
  if (/^\d{1,9}$/.test(parameter.value) && number >= 1 && number <= traceCounts.max) return number
  const names = 'query.searchDepth, query.search_depth or query.num_traces'
  throw malformedError(parameter, `the number of traces (${names}) is 1 to ${traceCounts.max}`)
}

/** Parses RFC 3339 to the nanosecond; a number of milliseconds is precise to a quarter of a microsecond. */
function parseTime(parameter: Parameter): number {
  const match = /^(\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d)(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)$/.exec(parameter.value)
  const seconds = match === null ? Number.NaN : Date.parse(`${match[1]}${match[3]}`)
  if (Number.isNaN(seconds)) throw malformedError(parameter, 'expected a time such as 2026-01-31T12:00:00Z')
  return seconds + Number(`0${match?.[2] ?? ''}`) * 1_000
}

/** Parses a Go duration such as `1.5s` or `2m30s`. */
function parseDuration(parameter: Parameter): number {
  const parts = [...parameter.value.matchAll(/(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)/g)]
  const isValid = parts.map(([part]) => part).join('') === parameter.value && parts.length > 0
  if (!isValid && parameter.value !== '0') throw malformedError(parameter, 'expected a duration such as 1.5s or 200ms')
  return parts.reduce((sum, [, number, unit]) => sum + Number(number) * (unitsMs[unit ?? ''] ?? 0), 0)
}

function parsePairs(text: string | undefined): string[] {
  if (text === undefined) return []
  const parameter = { name: 'query.attributes', value: text }
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    throw malformedError(parameter, 'expected a JSON object')
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
    throw malformedError(parameter, 'expected a JSON object')
  const entries = Object.entries(parsed)
  if (entries.length > maxAttributes) throw malformedError(parameter, `at most ${maxAttributes} attributes`)
  return entries.map(([key, value]) => {
    if (!['string', 'number', 'boolean'].includes(typeof value))
      throw malformedError(parameter, `${key} is not a text, number or boolean`)
    return searchedPair(key, String(value))
  })
}

function malformedError({ name, value }: Parameter, reason: string): ParameterError {
  return new ParameterError(`malformed parameter ${name}: ${JSON.stringify(value.slice(0, 100))}: ${reason}`)
}
