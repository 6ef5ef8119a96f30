import { setImmediate } from 'node:timers/promises'
import { fingerprint } from './bloom-filter.ts'
import { mayMatch, type SpanCriteria } from './chunk-filter.ts'
import { ownPairs, sharedPairs } from './pairs.ts'
import { type SpanStore, traceKey } from './span-store.ts'
import type { Origin, SpanRecord } from './span-types.ts'

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
