import { zstdDecompressSync } from 'node:zlib'
import type { Head } from './chunk.ts'
import type { Origin, SpanRecord } from './span-types.ts'

/** A chunk's spans, and the bytes that they keep in memory. */
export interface Unpacked {
  readonly spans: readonly SpanRecord[]
  readonly bytes: number
}

export const nothing: Unpacked = { spans: [], bytes: 0 }

const newline = 10

/** Throws what decompression and JSON throw: the database holds what was never written. */
export function unpack(body: Uint8Array): Unpacked {
  const all = zstdDecompressSync(body)
  const end = all.indexOf(newline)
  const head = JSON.parse(all.toString('utf8', 0, end)) as Head
  let at = end + 1
  const spans = head.spans.map(([origin, name, startMs, durationMs, bytes]) => {
    const text = all.subarray(at, at + bytes)
    at += bytes + 1
    return new PackedSpan(head.origins[origin] as Origin, head.names[name] ?? '', startMs, durationMs, text)
  })
  return { spans, bytes: all.length }
}

/** Most spans of a chunk are only looked at by what stands in its head: a text is made when somebody wants it. */
class PackedSpan implements SpanRecord {
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
    // The text begins with it: {"traceId":"…
    return this.#text.toString('latin1', 12, 44)
  }

  get text(): string {
    return this.#text.toString()
  }
}
