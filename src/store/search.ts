import { setImmediate } from 'node:timers/promises'
import { mayMatch, type Wanted } from './chunk-filter.ts'
import { fingerprint } from './filter.ts'
import { ownPairs, sharedPairs } from './pairs.ts'
import { type SpanStore, traceKey } from './span-store.ts'
import type { Origin, SpanRecord } from './span-types.ts'

export interface Search extends Wanted {
  /** Milliseconds since 1970; a span has to start within, ends included. */
  readonly fromMs: number
  readonly toMs: number
  readonly minDurationMs: number
  readonly maxDurationMs: number
  /** Most traces. */
  readonly count: number
}

/** Work between two looks at what else there is to do, in milliseconds: what exports wait for a search. */
const sliceMs = 10
/** Filters read at once. */
const filtersAtOnce = 128

/** Ids of traces of which one span is all that is wanted, those that came last first. */
export async function search(store: SpanStore, wanted: Search, signal: AbortSignal): Promise<string[]> {
  const breathe = breather(signal)
  const fits = fitting(wanted)
  const found = new Set<string>()
  const full = () => found.size >= wanted.count
  for (const record of store.fresh().toReversed()) {
    if (full()) return [...found]
    if (fits(record)) found.add(record.traceId)
  }
  for await (const id of chunksWithin(store, wanted, breathe)) {
    if (full()) break
    for (const record of store.chunk(id).toReversed()) {
      if (full()) break
      if (!found.has(record.traceId) && fits(record)) found.add(record.traceId)
    }
    await breathe()
  }
  return [...found]
}

/** All spans of a trace, each once, in the order in which they came. Pieces, so that none has to wait for all. */
export async function* spansOfTrace(
  store: SpanStore,
  traceId: string,
  signal: AbortSignal,
): AsyncGenerator<readonly SpanRecord[]> {
  const breathe = breather(signal)
  const told = new Set<number>()
  // A span may have been packed between two looks, or have come twice: both look alike here.
  const once = (records: readonly SpanRecord[]) =>
    records.filter(({ traceId: of, text }) => {
      if (of !== traceId) return false
      const before = told.size
      return told.add(fingerprint(text)).size > before
    })
  const fresh = store.fresh()
  const rows = store.database.prepare('SELECT chunk FROM traces WHERE trace = ? ORDER BY chunk').all(traceKey(traceId))
  for (const { chunk } of rows) {
    yield once(store.chunk(Number(chunk)))
    await breathe()
  }
  yield once(fresh)
}

async function* chunksWithin(store: SpanStore, wanted: Search, breathe: () => Promise<void>): AsyncGenerator<number> {
  const page = store.database.prepare(
    `SELECT id, filter FROM chunks JOIN filters ON chunk = id
      WHERE id < ? AND lastMs >= ? AND firstMs <= ? AND longestMs >= ? AND shortestMs <= ?
      ORDER BY id DESC LIMIT ${filtersAtOnce}`,
  )
  const { fromMs, toMs, minDurationMs, maxDurationMs } = wanted
  const matches = mayMatch(wanted)
  let before = Number.MAX_SAFE_INTEGER
  for (;;) {
    const rows = page.all(before, fromMs, toMs, minDurationMs, maxDurationMs)
    for (const { id, filter } of rows) if (matches(filter as Uint8Array)) yield Number(id)
    if (rows.length < filtersAtOnce) return
    before = Number(rows.at(-1)?.['id'])
    await breathe()
  }
}

function fitting({ service, name, pairs, fromMs, toMs, minDurationMs, maxDurationMs }: Search) {
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

/** Lets others run whenever a slice of time is used up; throws what `signal` aborts with. */
function breather(signal: AbortSignal): () => Promise<void> {
  let since = performance.now()
  return async () => {
    if (performance.now() - since < sliceMs) return
    await setImmediate()
    signal.throwIfAborted()
    since = performance.now()
  }
}
