import { zstdCompressSync } from 'node:zlib'
import { hashesOf } from './chunk-filter.ts'
import { makeFilter } from './filter.ts'
import type { Origin, SpanRecord } from './span-types.ts'

/** Some spans, packed: traces together, compressed together, and a filter that says what is surely not in it. */
export interface Chunk {
  readonly spans: number
  /** Earliest and latest start, in milliseconds since 1970. */
  readonly firstMs: number
  readonly lastMs: number
  /** Least and greatest duration, in milliseconds. */
  readonly shortestMs: number
  readonly longestMs: number
  readonly traceIds: ReadonlySet<string>
  readonly filter: Uint8Array
  readonly body: Uint8Array
}

/**
 * Spans of a chunk: compression wants many, a search that looks into a chunk wants few. Measured with the spans of the
 * lab.
 */
const spansPerChunk = 256
const charsPerChunk = 512 * 1_024

/** What spans refer to by index, in the first line of a body; then a line for each span, of so many bytes. */
export interface Head {
  readonly origins: readonly Origin[]
  readonly names: readonly string[]
  readonly spans: readonly (readonly [
    origin: number,
    name: number,
    startMs: number,
    durationMs: number,
    bytes: number,
  ])[]
}

/** Packs spans, those of a trace side by side, traces in the order in which they first came. */
export function* pack(records: readonly SpanRecord[]): Iterable<Chunk> {
  let batch = newBatch()
  for (const trace of Map.groupBy(records, ({ traceId }) => traceId).values()) {
    // A trace that fits into one chunk is not cut in two, unless that would leave the one before half empty.
    if (batch.size() > spansPerChunk / 2 && batch.size() + trace.length > spansPerChunk) {
      yield batch.chunk()
      batch = newBatch()
    }
    for (const record of trace) {
      batch.add(record)
      if (batch.size() < spansPerChunk && batch.chars() < charsPerChunk) continue
      yield batch.chunk()
      batch = newBatch()
    }
  }
  if (batch.size() > 0) yield batch.chunk()
}

interface Batch {
  /** Spans in it. */
  size(): number
  /** Characters of its body, but for what is written for every span. */
  chars(): number
  add(record: SpanRecord): void
  chunk(): Chunk
}

/** Spans on their way into a chunk, and what they refer to, each once. */
function newBatch(): Batch {
  const records: SpanRecord[] = []
  const spans: Head['spans'][number][] = []
  // Each export has an origin of its own; most say the same.
  const origins = new Map<Origin, number>()
  const texts = new Map<string, number>()
  const names = new Map<string, number>()
  let chars = 0
  const indexIn = (indexes: Map<string, number>, text: string) => {
    const index = indexes.get(text) ?? indexes.size
    if (index === indexes.size) chars += text.length
    indexes.set(text, index)
    return index
  }
  return {
    size: () => records.length,
    chars: () => chars,
    add: (record) => {
      const { origin, name, startMs, durationMs, text } = record
      const index = origins.get(origin) ?? indexIn(texts, JSON.stringify(origin))
      origins.set(origin, index)
      spans.push([index, indexIn(names, name), startMs, durationMs, Buffer.byteLength(text)])
      records.push(record)
      chars += text.length
    },
    chunk: () => {
      const head = JSON.stringify({ names: [...names.keys()], spans }).slice(1)
      const lines = [`{"origins":[${[...texts.keys()].join()}],${head}`, ...records.map(({ text }) => text)]
      const starts = records.map(({ startMs }) => startMs)
      const durations = records.map(({ durationMs }) => durationMs)
      return {
        spans: records.length,
        firstMs: Math.min(...starts),
        lastMs: Math.max(...starts),
        shortestMs: Math.min(...durations),
        longestMs: Math.max(...durations),
        traceIds: new Set(records.map(({ traceId }) => traceId)),
        filter: makeFilter(hashesOf(records, origins.keys())),
        body: zstdCompressSync(lines.join('\n')),
      }
    },
  }
}
