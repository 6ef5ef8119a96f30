/** Numbers of one page. */
const pageSize = 32_768
/** 64 pages are two million spans of one process. */
const maxPages = 64
/** Numbers that are this many pages above or below all others, and so few, are of spans with a false number. */
const odd = { pages: 32, count: 16 }

interface Page {
  readonly number: number
  readonly bits: Uint8Array
  count: number
  lowest: number
  highest: number
}

/** The values of `mesh.seq` that were read from one process, as bits: a number twice is a span twice. */
export class SeqSet {
  readonly #pages = new Map<number, Page>()

  /** Number of distinct values. */
  get count(): number {
    return countIn([...this.#pages.values()])
  }

  /** Highest value; 0 without any. */
  get highest(): number {
    return Math.max(0, ...[...this.#pages.values()].map(({ highest }) => highest))
  }

  /** Numbers between the lowest and the highest that were not read. A few numbers far from all others are false. */
  get missing(): number {
    const pages = this.#plausiblePages()
    const [first, last] = [pages[0], pages.at(-1)]
    return first === undefined || last === undefined ? 0 : last.highest - first.lowest + 1 - countIn(pages)
  }

  /** Returns false for a number that it has; true for a new one, or one that it cannot hold. */
  add(seq: number): boolean {
    if (!Number.isSafeInteger(seq) || seq < 1) return true
    const page = this.#pageOf(Math.floor(seq / pageSize))
    if (page === undefined) return true
    const index = (seq % pageSize) >> 3
    const bit = 1 << (seq & 7)
    const byte = page.bits[index] ?? 0
    if ((byte & bit) !== 0) return false
    page.bits[index] = byte | bit
    page.count++
    page.highest = Math.max(page.highest, seq)
    page.lowest = Math.min(page.lowest, seq)
    return true
  }

  /** By number. */
  #plausiblePages(): readonly Page[] {
    const pages = [...this.#pages.values()]
    if (pages.length < 2) return pages
    pages.sort((a, b) => a.number - b.number)
    const groups: Page[][] = []
    for (const page of pages) {
      const group = groups.at(-1)
      if (group === undefined || page.number > (group.at(-1)?.number ?? 0) + odd.pages) groups.push([page])
      else group.push(page)
    }
    const most = Math.max(...groups.map(countIn))
    return groups.filter((group) => countIn(group) === most || countIn(group) > odd.count).flat()
  }

  #pageOf(number: number): Page | undefined {
    const present = this.#pages.get(number)
    if (present !== undefined) return present
    if (this.#pages.size >= maxPages && !this.#dropBefore(number)) return undefined
    const bits = new Uint8Array(pageSize >> 3)
    const page = { number, bits, count: 0, lowest: Number.POSITIVE_INFINITY, highest: 0 }
    this.#pages.set(number, page)
    return page
  }

  /** Makes room for a page: a page of false numbers goes, or the oldest one if the new one is not older. */
  #dropBefore(number: number): boolean {
    const plausible = this.#plausiblePages()
    const [oldest] = plausible
    const dropped = [...this.#pages.values()].find((page) => !plausible.includes(page)) ?? oldest
    if (dropped === undefined || (dropped === oldest && number < oldest.number)) return false
    return this.#pages.delete(dropped.number)
  }
}

function countIn(pages: readonly Page[]): number {
  return pages.reduce((sum, { count }) => sum + count, 0)
}
