import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { errorMessage, MeshError } from '../core/errors.ts'
import { type Chunk, ChunkCache, emptyChunk, pack, unpack } from './chunk.ts'
import { isDiskError, openDatabase, readPragma } from './database.ts'
import { recordsOf, type SpanRecord } from './span-record.ts'
import { Tallies } from './tallies.ts'
import { createDecoder } from './wire.ts'

export interface SpanStoreOptions {
  /** A path, or `:memory:`. */
  readonly file: string
  readonly maxSpans: number
  /** On disk, in bytes, the journal included. */
  readonly maxBytes: number
  /** Since arrival, in milliseconds; a span may stay a 24th longer, until the others of its chunk expire. */
  readonly maxAgeMs: number
  /** Milliseconds since 1970. */
  readonly now?: () => number
}

/** An export request: its bytes and its spans. */
export interface Export {
  readonly body: Uint8Array
  readonly records: readonly SpanRecord[]
  /** Refused spans. */
  readonly refused: number
}

export interface StoreStats {
  readonly spans: number
  /** On disk, or in memory, without free pages. */
  readonly bytes: number
  readonly oldestMs: number | undefined
  readonly newestMs: number | undefined
  readonly evicted: number
  readonly refused: number
}

/**
 * Fresh spans are packed at this number, at this many characters with the bytes of their exports, or at this part of
 * the maximum age, since spans packed together are evicted together.
 */
const sealBounds = { spans: 2_048, chars: 8 * 1_024 * 1_024, ofAge: 1 / 24 }
/** The store refuses exports beyond this multiple of `sealBounds`: packing has failed for long. */
const maxFreshFactor = 8
/** Reserved below `maxBytes` for the journal, and for writes before the next check. */
const reserveBytes = 16 * 1_024 * 1_024
/** Chunks evicted in one step, which takes a hundredth of a second. */
const chunksPerEviction = 32

/**
 * Spans in SQLite, bounded in number, bytes and age: the oldest are evicted first. When `add` returns, its spans are
 * committed. New spans stay in memory, and in the file as received, until there are enough to pack.
 */
export class SpanStore {
  readonly database: DatabaseSync
  readonly tallies: Tallies
  readonly #options: SpanStoreOptions
  readonly #now: () => number
  readonly #insertFresh: StatementSync
  readonly #cache = new ChunkCache()
  #fresh: SpanRecord[] = []
  #freshChars = 0
  #packedCount: number
  #lastFreshId = 0
  /** Arrival of the first and the last fresh span. */
  #freshSinceMs = 0
  #freshUntilMs = 0

  /** @throws MESH_STORE_UNUSABLE */
  constructor(options: SpanStoreOptions) {
    this.#options = options
    this.#now = options.now ?? Date.now
    this.database = openDatabase(options.file)
    this.tallies = new Tallies(this.database)
    this.#insertFresh = this.database.prepare('INSERT INTO fresh VALUES (?, ?, ?)')
    const row = this.database.prepare('SELECT total(spans) AS spans FROM chunks').get()
    this.#packedCount = Number(row?.['spans'])
    const decode = createDecoder()
    for (const { id, atMs, body } of this.database.prepare('SELECT id, atMs, body FROM fresh ORDER BY id').iterate()) {
      const bytes = body as Uint8Array
      this.#addFresh(recordsOf(decode(bytes)).records, bytes.byteLength, Number(atMs))
      this.#lastFreshId = Number(id)
    }
  }

  get spans(): number {
    return this.#packedCount + this.#fresh.length
  }

  /** A copy of the spans not yet packed, oldest first. */
  fresh(): readonly SpanRecord[] {
    return this.#fresh.slice()
  }

  /** Commits exports together. @throws MESH_STORE_FULL without storing any of them. */
  add(exports: readonly Export[]): void {
    if (this.#fresh.length > sealBounds.spans * maxFreshFactor || this.#freshChars > sealBounds.chars * maxFreshFactor)
      throw this.#fullError('spans cannot be packed')
    const now = this.#now()
    let last = this.#lastFreshId
    this.#transact(() => {
      for (const { body, records, refused } of exports) {
        this.tallies.addTo('refused', refused)
        if (records.length > 0) this.#insertFresh.run(++last, now, body)
      }
      this.tallies.add(
        exports.flatMap(({ records }) => records),
        now,
      )
    })
    for (const { records, body } of exports) this.#addFresh(records, body.byteLength, now)
    this.#lastFreshId = last
  }

  /** Packs the fresh spans if there are enough; returns whether it did. @throws MESH_STORE_FULL without any change. */
  seal(): boolean {
    const isOld = this.#freshSinceMs < this.#now() - this.#options.maxAgeMs * sealBounds.ofAge
    const isEnough = this.#fresh.length >= sealBounds.spans || this.#freshChars >= sealBounds.chars
    if (this.#fresh.length === 0 || !(isEnough || isOld)) return false
    this.#transact(() => {
      for (const chunk of pack(this.#fresh)) this.#writeChunk(chunk)
      this.database.exec('DELETE FROM fresh')
      this.tallies.trim()
    })
    this.#packedCount += this.#fresh.length
    this.#fresh = []
    this.#freshChars = 0
    return true
  }

  /** Evicts some of the oldest chunks if a bound is exceeded. True if there may be more. */
  evict(): boolean {
    const chunks = this.#chunksToEvict()
    if (chunks.length === 0) return false
    const spans = chunks.reduce((sum, chunk) => sum + chunk.spans, 0)
    this.#transact(() => {
      const unindex = this.database.prepare('DELETE FROM traces WHERE trace = ? AND chunk = ?')
      for (const { id } of chunks) {
        for (const { traceId } of this.chunk(id)) unindex.run(traceKey(traceId), id)
        for (const table of ['bodies', 'filters']) this.database.prepare(`DELETE FROM ${table} WHERE chunk = ?`).run(id)
        this.database.prepare('DELETE FROM chunks WHERE id = ?').run(id)
      }
      this.tallies.addTo('evicted', spans)
    })
    for (const { id } of chunks) this.#cache.remove(id)
    this.#packedCount -= spans
    return true
  }

  /** Spans of a packed chunk; empty if it was evicted. */
  chunk(id: number): readonly SpanRecord[] {
    return this.#cache.get(id, () => {
      const row = this.database.prepare('SELECT body FROM bodies WHERE chunk = ?').get(id)
      return row === undefined ? emptyChunk : unpack(row['body'] as Uint8Array)
    }).spans
  }

  stats(): StoreStats {
    const row = this.database.prepare('SELECT min(firstMs) AS first, max(lastMs) AS last FROM chunks').get()
    const starts = this.#fresh.map(({ startMs }) => startMs)
    const packed = [row?.['first'], row?.['last']].filter((time) => typeof time === 'number')
    const times = [...packed, ...starts]
    const [oldestMs, newestMs] =
      times.length === 0
        ? [undefined, undefined]
        : [times.reduce((a, b) => Math.min(a, b)), times.reduce((a, b) => Math.max(a, b))]
    const [evicted, refused] = [this.tallies.total('evicted'), this.tallies.total('refused')]
    return { spans: this.spans, bytes: this.#usedBytes(), oldestMs, newestMs, evicted, refused }
  }

  close(): void {
    this.database.close()
  }

  #addFresh(records: readonly SpanRecord[], bytes: number, atMs: number): void {
    if (records.length === 0) return
    if (this.#fresh.length === 0) this.#freshSinceMs = atMs
    this.#freshUntilMs = atMs
    // The length of the export accounts for resource and scope.
    this.#freshChars += bytes
    for (const record of records) {
      this.#fresh.push(record)
      this.#freshChars += record.text.length
    }
  }

  /** The oldest chunks that exceed a bound. */
  #chunksToEvict(): { id: number; spans: number }[] {
    const { maxSpans, maxAgeMs, maxBytes } = this.#options
    const isTooLarge = this.#usedBytes() > maxBytes - reserveBytes
    const minAtMs = this.#now() - maxAgeMs
    let surplus = this.spans - maxSpans
    const chunks: { id: number; spans: number }[] = []
    for (const row of this.database
      .prepare('SELECT id, spans, atMs FROM chunks ORDER BY id LIMIT ?')
      .all(chunksPerEviction)) {
      if (!isTooLarge && surplus <= 0 && Number(row['atMs']) >= minAtMs) break
      chunks.push({ id: Number(row['id']), spans: Number(row['spans']) })
      surplus -= Number(row['spans'])
    }
    return chunks
  }

  #writeChunk(chunk: Chunk): void {
    const { spans, firstMs, lastMs, shortestMs, longestMs, filter, body } = chunk
    const id = this.database
      .prepare('INSERT INTO chunks (spans, firstMs, lastMs, shortestMs, longestMs, atMs) VALUES (?, ?, ?, ?, ?, ?)')
      .run(spans, firstMs, lastMs, shortestMs, longestMs, this.#freshUntilMs).lastInsertRowid
    this.database.prepare('INSERT INTO filters VALUES (?, ?)').run(id, filter)
    this.database.prepare('INSERT INTO bodies VALUES (?, ?)').run(id, body)
    const index = this.database.prepare('INSERT OR IGNORE INTO traces VALUES (?, ?)')
    for (const trace of chunk.traceIds) index.run(traceKey(trace), id)
  }

  #usedBytes(): number {
    const pages = readPragma(this.database, 'page_count') - readPragma(this.database, 'freelist_count')
    return pages * readPragma(this.database, 'page_size')
  }

  #transact(work: () => void): void {
    this.database.exec('BEGIN IMMEDIATE')
    try {
      work()
      this.database.exec('COMMIT')
    } catch (error) {
      // On a full disk SQLite often rolls back by itself.
      if (this.database.isTransaction) this.database.exec('ROLLBACK')
      throw isDiskError(error) ? this.#fullError(errorMessage(error)) : error
    }
  }

  #fullError(cause: string): MeshError {
    return new MeshError('MESH_STORE_FULL', { file: this.#options.file, cause })
  }
}

/** The last 48 bits of a trace id, which are random by specification: a number that JavaScript holds exactly. */
export function traceKey(traceId: string): number {
  return Number.parseInt(traceId.slice(-12), 16)
}
