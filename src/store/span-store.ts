import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { MeshError } from '../core/errors.ts'
import { type Chunk, pack } from './chunk.ts'
import { ChunkCache } from './chunk-cache.ts'
import { isDiskTrouble, openDatabase, pragma } from './database.ts'
import { recordsOf } from './span-record.ts'
import type { SpanRecord } from './span-types.ts'
import { Tallies } from './tallies.ts'
import { nothing, unpack } from './unpack.ts'
import type { DecodedRequest } from './wire.ts'

export interface SpanStoreOptions {
  /** A path, or `:memory:`. */
  readonly file: string
  readonly maxSpans: number
  /** On disk, in bytes, the journal included. */
  readonly maxBytes: number
  /** Since a span came, in milliseconds; it may stay for a 24th longer, since it goes with those packed with it. */
  readonly maxAgeMs: number
  readonly decode: (body: Uint8Array) => DecodedRequest
  /** Milliseconds since 1970. */
  readonly now?: () => number
}

/** An export as it came, and what it holds. */
export interface Export {
  readonly body: Uint8Array
  readonly records: readonly SpanRecord[]
  /** Spans in it that cannot be kept. */
  readonly refused: number
}

export interface StoreStats {
  readonly spans: number
  /** On disk, or in memory, without what is free to be used again. */
  readonly bytes: number
  readonly oldestMs: number | undefined
  readonly newestMs: number | undefined
  readonly evicted: number
  readonly refused: number
}

/**
 * So many spans, or so many characters of them and bytes of their exports, are packed at once; or what has come within
 * so large a part of the age they may reach, since what is packed together goes together.
 */
const sealed = { spans: 2_048, chars: 8 * 1_024 * 1_024, ofAge: 1 / 24 }
/** Beyond this many times as much nothing more is taken: it could not be packed for a long time. */
const mostFresh = 8
/** The journal, and what is written before the next look: kept free below `maxBytes`. */
const reserveBytes = 16 * 1_024 * 1_024
/** Chunks that go at once: a hundredth of a second's work. */
const evictedAtOnce = 32

/**
 * Spans in SQLite, bounded in number, bytes and age: the oldest go first. What `add` has returned from is committed.
 *
 * New spans are held as they came, and in memory, until there are enough to be packed.
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
  #packed: number
  #lastFresh = 0
  /** When the first and the last of them came. */
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
    this.#packed = Number(row?.['spans'])
    for (const { id, atMs, body } of this.database.prepare('SELECT id, atMs, body FROM fresh ORDER BY id').iterate()) {
      const bytes = body as Uint8Array
      this.#hold(recordsOf(options.decode(bytes)).records, bytes.byteLength, Number(atMs))
      this.#lastFresh = Number(id)
    }
  }

  get spans(): number {
    return this.#packed + this.#fresh.length
  }

  /** Not yet packed, oldest first. A copy: stays as it is. */
  fresh(): readonly SpanRecord[] {
    return this.#fresh.slice()
  }

  /** Commits exports together. @throws MESH_STORE_FULL, and then none of them is kept. */
  add(exports: readonly Export[]): void {
    if (this.#fresh.length > sealed.spans * mostFresh || this.#freshChars > sealed.chars * mostFresh)
      throw this.#full('spans cannot be packed')
    const now = this.#now()
    let last = this.#lastFresh
    this.#commit(() => {
      for (const { body, records, refused } of exports) {
        this.tallies.addTo('refused', refused)
        if (records.length > 0) this.#insertFresh.run(++last, now, body)
      }
      this.tallies.add(
        exports.flatMap(({ records }) => records),
        now,
      )
    })
    for (const { records, body } of exports) this.#hold(records, body.byteLength, now)
    this.#lastFresh = last
  }

  /** Packs what is fresh when there is enough of it; true when it did. @throws MESH_STORE_FULL, and then all is as before. */
  seal(): boolean {
    const old = this.#freshSinceMs < this.#now() - this.#options.maxAgeMs * sealed.ofAge
    const enough = this.#fresh.length >= sealed.spans || this.#freshChars >= sealed.chars
    if (this.#fresh.length === 0 || !(enough || old)) return false
    this.#commit(() => {
      for (const chunk of pack(this.#fresh)) this.#write(chunk)
      this.database.exec('DELETE FROM fresh')
      this.tallies.trim()
    })
    this.#packed += this.#fresh.length
    this.#fresh = []
    this.#freshChars = 0
    return true
  }

  /** Removes the oldest chunks, a few at a time, while a bound is passed. True when there may be more to do. */
  evict(): boolean {
    const going = this.#beyond()
    if (going.length === 0) return false
    const spans = going.reduce((sum, chunk) => sum + chunk.spans, 0)
    this.#commit(() => {
      const unindex = this.database.prepare('DELETE FROM traces WHERE trace = ? AND chunk = ?')
      for (const { id } of going) {
        for (const { traceId } of this.chunk(id)) unindex.run(traceKey(traceId), id)
        for (const table of ['bodies', 'filters']) this.database.prepare(`DELETE FROM ${table} WHERE chunk = ?`).run(id)
        this.database.prepare('DELETE FROM chunks WHERE id = ?').run(id)
      }
      this.tallies.addTo('evicted', spans)
    })
    for (const { id } of going) this.#cache.remove(id)
    this.#packed -= spans
    return true
  }

  /** Spans of a packed chunk; none when it is gone. */
  chunk(id: number): readonly SpanRecord[] {
    return this.#cache.get(id, () => {
      const row = this.database.prepare('SELECT body FROM bodies WHERE chunk = ?').get(id)
      return row === undefined ? nothing : unpack(row['body'] as Uint8Array)
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
    return { spans: this.spans, bytes: this.#bytes(), oldestMs, newestMs, evicted, refused }
  }

  close(): void {
    this.database.close()
  }

  #hold(records: readonly SpanRecord[], bytes: number, atMs: number): void {
    if (records.length === 0) return
    if (this.#fresh.length === 0) this.#freshSinceMs = atMs
    this.#freshUntilMs = atMs
    // Resource and scope are held too: the export is longer than these.
    this.#freshChars += bytes
    for (const record of records) {
      this.#fresh.push(record)
      this.#freshChars += record.text.length
    }
  }

  /** The oldest chunks that a bound leaves no room for. */
  #beyond(): { id: number; spans: number }[] {
    const { maxSpans, maxAgeMs, maxBytes } = this.#options
    const tooLarge = this.#bytes() > maxBytes - reserveBytes
    const bound = this.#now() - maxAgeMs
    let surplus = this.spans - maxSpans
    const going: { id: number; spans: number }[] = []
    for (const row of this.database
      .prepare('SELECT id, spans, atMs FROM chunks ORDER BY id LIMIT ?')
      .all(evictedAtOnce)) {
      if (!tooLarge && surplus <= 0 && Number(row['atMs']) >= bound) break
      going.push({ id: Number(row['id']), spans: Number(row['spans']) })
      surplus -= Number(row['spans'])
    }
    return going
  }

  #write(chunk: Chunk): void {
    const { spans, firstMs, lastMs, shortestMs, longestMs, filter, body } = chunk
    const id = this.database
      .prepare('INSERT INTO chunks (spans, firstMs, lastMs, shortestMs, longestMs, atMs) VALUES (?, ?, ?, ?, ?, ?)')
      .run(spans, firstMs, lastMs, shortestMs, longestMs, this.#freshUntilMs).lastInsertRowid
    this.database.prepare('INSERT INTO filters VALUES (?, ?)').run(id, filter)
    this.database.prepare('INSERT INTO bodies VALUES (?, ?)').run(id, body)
    const index = this.database.prepare('INSERT OR IGNORE INTO traces VALUES (?, ?)')
    for (const trace of chunk.traceIds) index.run(traceKey(trace), id)
  }

  #bytes(): number {
    const pages = pragma(this.database, 'page_count') - pragma(this.database, 'freelist_count')
    return pages * pragma(this.database, 'page_size')
  }

  #commit(work: () => void): void {
    this.database.exec('BEGIN IMMEDIATE')
    try {
      work()
      this.database.exec('COMMIT')
    } catch (error) {
      // After a full disk SQLite has often rolled back by itself.
      if (this.database.isTransaction) this.database.exec('ROLLBACK')
      throw isDiskTrouble(error) ? this.#full(error instanceof Error ? error.message : String(error)) : error
    }
  }

  #full(cause: string): MeshError {
    return new MeshError('MESH_STORE_FULL', { file: this.#options.file, cause })
  }
}

/** The last 48 bits of a trace id, which are random by specification: a number that JavaScript holds exactly. */
export function traceKey(traceId: string): number {
  return Number.parseInt(traceId.slice(-12), 16)
}
