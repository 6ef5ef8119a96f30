import { zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { hashOf, makeFilter, mayHold, mixed } from './filter.ts'
import { resourcePairs } from './pairs.ts'
import type { Origin, SpanRecord } from './span-record.ts'

/** Some spans, packed: traces together, compressed together, and a filter that says what is surely not in it. */
export interface Chunk {
  readonly spans: number
  /** Earliest and latest start, in milliseconds since 1970. */
  readonly firstMs: number
  readonly lastMs: number
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

/** What spans refer to by index, in the first line of a body; then a line for each span. */
interface Head {
  readonly origins: readonly Origin[]
  readonly names: readonly string[]
  readonly spans: readonly (readonly [origin: number, name: number, startMs: number, durationMs: number])[]
}

/** Packs spans, those of a trace side by side, traces in the order in which they first came. */
export function* pack(records: readonly SpanRecord[]): Iterable<Chunk> {
  let batch: SpanRecord[] = []
  let chars = 0
  for (const trace of Map.groupBy(records, ({ traceId }) => traceId).values()) {
    // A trace that fits into one chunk is not cut in two, unless that would leave the one before half empty.
    if (batch.length > spansPerChunk / 2 && batch.length + trace.length > spansPerChunk) {
      yield chunkOf(batch)
      batch = []
      chars = 0
    }
    for (const record of trace) {
      batch.push(record)
      chars += record.text.length
      if (batch.length < spansPerChunk && chars < charsPerChunk) continue
      yield chunkOf(batch)
      batch = []
      chars = 0
    }
  }
  if (batch.length > 0) yield chunkOf(batch)
}

/** Throws what decompression and JSON throw: the database holds what was never written. */
export function unpack(body: Uint8Array): SpanRecord[] {
  const [first = '', ...lines] = zstdDecompressSync(body).toString().split('\n')
  const head = JSON.parse(first) as Head
  return lines.map((text, index) => {
    const [origin = 0, name = 0, startMs = 0, durationMs = 0] = head.spans[index] ?? []
    return {
      // The text begins with it: {"traceId":"…
      traceId: text.slice(12, 44),
      name: head.names[name] ?? '',
      kind: '',
      startMs,
      durationMs,
      origin: head.origins[origin] as Origin,
      text,
    }
  })
}

/** What a search asks of one span. */
export interface Wanted {
  /** Empty for any. */
  readonly service: string
  readonly name: string
  /** All of them. */
  readonly pairs: readonly string[]
}

/** False only when surely no span of the chunk is wanted. */
export function mayMatch(filter: Uint8Array, { service, name, pairs }: Wanted): boolean {
  if (service !== '' && !mayHold(filter, mixed(serviceHash(service), nameHash(name)))) return false
  if (service === '' && name !== '' && !mayHold(filter, nameHash(name))) return false
  return pairs.every((pair) => {
    const hash = hashOf(pair)
    return mayHold(filter, mixed(nameHash(name), hash)) || mayHold(filter, resourceHash(hash))
  })
}

function chunkOf(batch: readonly SpanRecord[]): Chunk {
  const origins = new Map<Origin, number>()
  const texts = new Map<string, number>()
  const names = new Map<string, number>()
  const spans = batch.map(({ origin, name, startMs, durationMs }) => {
    let index = origins.get(origin)
    if (index === undefined) {
      // Each export has an object of its own; most say the same.
      index = indexIn(texts, JSON.stringify(origin))
      origins.set(origin, index)
    }
    return [index, indexIn(names, name), startMs, durationMs] as const
  })
  const head = JSON.stringify({ names: [...names.keys()], spans }).slice(1)
  const lines = [`{"origins":[${[...texts.keys()].join()}],${head}`, ...batch.map(({ text }) => text)]
  const starts = batch.map(({ startMs }) => startMs)
  return {
    spans: batch.length,
    firstMs: Math.min(...starts),
    lastMs: Math.max(...starts),
    traceIds: new Set(batch.map(({ traceId }) => traceId)),
    filter: makeFilter(hashesOf(batch, new Set(origins.keys()))),
    body: zstdCompressSync(lines.join('\n')),
  }
}

/** Of everything that a search can ask for together: a name with a service, a pair with a name, a pair with any name. */
function hashesOf(batch: readonly SpanRecord[], origins: ReadonlySet<Origin>): Set<number> {
  const hashes = new Set<number>()
  const anyName = nameHash('')
  for (const origin of origins) {
    hashes.add(mixed(serviceHash(origin.service), anyName))
    for (const pair of resourcePairs(origin)) hashes.add(resourceHash(hashOf(pair)))
  }
  for (const record of batch) {
    const name = nameHash(record.name)
    hashes.add(name).add(mixed(serviceHash(record.origin.service), name))
    for (const hash of record.hashes ?? []) {
      hashes.add(mixed(anyName, hash)).add(mixed(name, hash))
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
  return mixed(3, pair)
}

function indexIn(indexes: Map<string, number>, text: string): number {
  const index = indexes.get(text) ?? indexes.size
  indexes.set(text, index)
  return index
}
