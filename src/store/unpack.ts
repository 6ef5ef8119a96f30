import { zstdDecompressSync } from 'node:zlib'
import type { ChunkHead } from './chunk.ts'
import type { Origin, SpanRecord } from './span-types.ts'

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
