/** Numbers of one page. */
const pageSize = 32_768
/** 64 pages are two million spans of one process; a false number cannot cost more than its page. */
const maxPages = 64

/** The values of `mesh.seq` that were read from one process, as bits: a number twice is a span twice. */
export class SeqSet {
  readonly #pages = new Map<number, Uint8Array>()
  #count = 0
  #highest = 0
  #lowest = Number.POSITIVE_INFINITY

  /** Number of distinct values. */
  get count(): number {
    return this.#count
  }

  /** Highest value; 0 without any. */
  get highest(): number {
    return this.#highest
  }

  /** Numbers between the lowest and the highest that were not read. */
  get missing(): number {
    return this.#count === 0 ? 0 : this.#highest - this.#lowest + 1 - this.#count
  }

  /** Returns false for a number that it has; true for a new one, or one that it cannot hold. */
  add(seq: number): boolean {
    if (!Number.isSafeInteger(seq) || seq < 1) return true
    const page = this.#pageOf(Math.floor(seq / pageSize))
    if (page === undefined) return true
    const index = (seq % pageSize) >> 3
    const bit = 1 << (seq & 7)
    const byte = page[index] ?? 0
    if ((byte & bit) !== 0) return false
    page[index] = byte | bit
    this.#count++
    this.#highest = Math.max(this.#highest, seq)
    this.#lowest = Math.min(this.#lowest, seq)
    return true
  }

  #pageOf(number: number): Uint8Array | undefined {
    const present = this.#pages.get(number)
    if (present !== undefined || this.#pages.size >= maxPages) return present
    const page = new Uint8Array(pageSize >> 3)
    this.#pages.set(number, page)
    return page
  }
}
