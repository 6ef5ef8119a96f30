import { zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { hashOf, makeFilter, mayContain, mix } from './bloom-filter.ts'
import { sharedPairs } from './pairs.ts'
import type { Origin, SpanRecord } from './span-record.ts'

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

/** A chunk's spans, and their bytes in memory. */
export interface UnpackedChunk {
  readonly spans: readonly SpanRecord[]
  readonly bytes: number
}

export const emptyChunk: UnpackedChunk = { spans: [], bytes: 0 }

const newline = 10

/** Throws errors of decompression and JSON if the database is damaged. */
export function unpack(body: Uint8Array): UnpackedChunk {
  const all = zstdDecompressSync(body)
  const end = all.indexOf(newline)
  const head = JSON.parse(all.toString('utf8', 0, end)) as ChunkHead
  let at = end + 1
  const spans = head.spans.map(([origin, name, startMs, durationMs, bytes]) => {
    const text = all.subarray(at, at + bytes)
    at += bytes + 1
    return new LazySpan(head.origins[origin] as Origin, head.names[name] ?? '', startMs, durationMs, text)
  })
  return { spans, bytes: all.length }
}

/** Decodes its text on demand: a search checks most spans by the chunk's head only. */
class LazySpan implements SpanRecord {
  readonly origin: Origin
  readonly name: string
  readonly kind = ''
  readonly startMs: number
  readonly durationMs: number
  readonly #text: Buffer

  constructor(origin: Origin, name: string, startMs: number, durationMs: number, text: Buffer) {
    this.origin = origin
    this.name = name
    this.startMs = startMs
    this.durationMs = durationMs
    this.#text = text
  }

  get traceId(): string {
    // The text begins with {"traceId":"…
    return this.#text.toString('latin1', 12, 44)
  }

  get text(): string {
    return this.#text.toString()
  }
}

/** A search for twenty traces of the lab reads about fifty chunks, most of them twice: 8 MiB. */
const cacheBounds = { chunks: 64, bytes: 8 * 1_024 * 1_024 }

interface CacheEntry {
  readonly id: number
  readonly chunk: UnpackedChunk
}

/** An LRU cache of unpacked chunks; newest last. */
export class ChunkCache {
  #entries: CacheEntry[] = []
  #bytes = 0

  /** The cached chunk, or the result of `read`. */
  get(id: number, read: () => UnpackedChunk): UnpackedChunk {
    const chunk = this.#entries.find((one) => one.id === id)?.chunk ?? read()
    this.remove(id)
    if (chunk.bytes > cacheBounds.bytes) return chunk
    this.#entries.push({ id, chunk })
    this.#bytes += chunk.bytes
    while (this.#entries.length > cacheBounds.chunks || this.#bytes > cacheBounds.bytes)
      this.remove(this.#entries[0]?.id ?? 0)
    return chunk
  }

  /** Call when the chunk is deleted: another may get its id. */
  remove(id: number): void {
    const at = this.#entries.findIndex((one) => one.id === id)
    const [removed] = at < 0 ? [] : this.#entries.splice(at, 1)
    this.#bytes -= removed?.chunk.bytes ?? 0
  }
}

/** Conditions of a search that one span has to meet. */
export interface SpanCriteria {
  /** Empty means any. */
  readonly service: string
  readonly name: string
  /** The span has to have all of them. */
  readonly pairs: readonly string[]
}

/** Whether a chunk with this filter may contain a matching span; false only if surely none matches. */
export function mayMatch({ service, name, pairs }: SpanCriteria): (filter: Uint8Array) => boolean {
  const hashOfName = nameHash(name)
  const requiredHashes = [
    ...(service === '' ? [] : [mix(serviceHash(service), hashOfName)]),
    ...(service === '' && name !== '' ? [hashOfName] : []),
  ]
  const pairHashes = pairs
    .map((pair) => hashOf(pair))
    .map((hash) => [mix(hashOfName, hash), resourceHash(hash)] as const)
  return (filter) =>
    requiredHashes.every((hash) => mayContain(filter, hash)) &&
    pairHashes.every(([own, shared]) => mayContain(filter, own) || mayContain(filter, shared))
}

/** Hashes of all combinations that a search can query: name with service, pair with name, pair with any name. */
function hashesOf(batch: readonly SpanRecord[], origins: Iterable<Origin>): Set<number> {
  const hashes = new Set<number>()
  const anyName = nameHash('')
  for (const origin of origins) {
    hashes.add(mix(serviceHash(origin.service), anyName))
    for (const pair of sharedPairs(origin)) hashes.add(resourceHash(hashOf(pair)))
  }
  for (const record of batch) {
    const name = nameHash(record.name)
    hashes.add(name).add(mix(serviceHash(record.origin.service), name))
    for (const hash of record.hashes ?? []) {
      hashes.add(mix(anyName, hash)).add(mix(name, hash))
    }
  }
  return hashes
}

function serviceHash(service: string): number {
  return hashOf(service, 1)
}

function nameHash(name: string): number {
  return hashOf(name, 2)
}

function resourceHash(pair: number): number {
  return mix(3, pair)
}
