import { zstdCompressSync } from 'node:zlib'
import { makeFilter } from './bloom-filter.ts'
import { hashesOf } from './chunk-filter.ts'
import type { Origin, SpanRecord } from './span-types.ts'

/** Spans compressed together, sorted by trace, with a Bloom filter of their attributes. */
export interface Chunk {
  readonly spans: number
  /** Earliest and latest start, in milliseconds since 1970. */
  readonly firstMs: number
  readonly lastMs: number
  /** Shortest and longest duration, in milliseconds. */
  readonly shortestMs: number
  readonly longestMs: number
  readonly traceIds: ReadonlySet<string>
  readonly filter: Uint8Array
  readonly body: Uint8Array
}

/**
 * Spans of a chunk: many compress better, few are faster to search. Measured with the spans of the lab.
 */
const spansPerChunk = 256
const charsPerChunk = 512 * 1_024

/** The first line of a body: values that spans refer to by index. Then follows a line of `bytes` bytes per span. */
export interface ChunkHead {
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

/** Packs spans into chunks by trace, traces in order of arrival. */
export function* pack(records: readonly SpanRecord[]): Iterable<Chunk> {
  let batch = createBatch()
  for (const trace of Map.groupBy(records, ({ traceId }) => traceId).values()) {
    // Do not split a trace that fits into one chunk, unless the chunk before would stay half empty.
    if (batch.size() > spansPerChunk / 2 && batch.size() + trace.length > spansPerChunk) {
      yield batch.chunk()
      batch = createBatch()
    }
    for (const record of trace) {
      batch.add(record)
      if (batch.size() < spansPerChunk && batch.chars() < charsPerChunk) continue
      yield batch.chunk()
      batch = createBatch()
    }
  }
  if (batch.size() > 0) yield batch.chunk()
}

interface Batch {
  /** Spans in it. */
  size(): number
  /** Characters of its body, without the fixed fields of each span. */
  chars(): number
  add(record: SpanRecord): void
  chunk(): Chunk
}

/** Collects the spans of a chunk and the distinct values that they refer to. */
function createBatch(): Batch {
  const records: SpanRecord[] = []
  const spans: ChunkHead['spans'][number][] = []
  // Each export has an origin object of its own; most are equal.
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
