/** An item of roughly known memory size. */
export interface Sized {
  readonly bytes: number
}

/**
 * A queue bounded in items and bytes that evicts its oldest items for new ones.
 *
 * Items taken are in flight: they count against both bounds until `release`, and are never evicted, since only the
 * receiver's answer decides whether they are lost. So at every moment `added = released + evicted + size`.
 */
export class Ring<T extends Sized> {
  readonly capacity: number
  readonly capacityBytes: number
  readonly #slots: (T | undefined)[] = []
  #head = 0
  #waitingCount = 0
  #inFlight: readonly T[] = []
  #bytes = 0
  #added = 0
  #released = 0
  #evicted = 0

  constructor(capacity: number, capacityBytes: number) {
    this.capacity = capacity
    this.capacityBytes = capacityBytes
  }

  /** Items that wait or are in flight. */
  get size(): number {
    return this.#waitingCount + this.#inFlight.length
  }

  /** Items not in flight. */
  get waitingCount(): number {
    return this.#waitingCount
  }

  get bytes(): number {
    return this.#bytes
  }

  get added(): number {
    return this.#added
  }

  get released(): number {
    return this.#released
  }

  get evicted(): number {
    return this.#evicted
  }

  /**
   * Adds an item and returns the evicted ones, oldest first. That can be the item itself, if it alone exceeds a bound
   * or if everything older is in flight.
   */
  push(item: T): readonly T[] {
    this.#added++
    const evicted: T[] = []
    while (this.#waitingCount > 0 && !this.#fits(item)) evicted.push(this.#shift())
    if (this.#fits(item)) this.#append(item)
    else evicted.push(item)
    this.#evicted += evicted.length
    return evicted
  }

  /**
   * Takes the oldest items: at most `count` of them and `bytes` in all, but at least one if there is any. Empty while
   * another batch is in flight.
   */
  take(count: number, bytes: number): readonly T[] {
    if (this.#inFlight.length > 0) return []
    const batch: T[] = []
    let sum = 0
    while (this.#waitingCount > 0 && batch.length < count) {
      const next = this.#slots[this.#head] as T
      if (batch.length > 0 && sum + next.bytes > bytes) break
      sum += next.bytes
      batch.push(this.#shift())
    }
    this.#bytes += sum
    this.#inFlight = batch
    return batch
  }

  /** Removes the items in flight, delivered or lost. */
  release(): void {
    for (const item of this.#inFlight) this.#bytes -= item.bytes
    this.#released += this.#inFlight.length
    this.#inFlight = []
  }

  /** Evicts everything. */
  clear(): void {
    this.#evicted += this.size
    this.#slots.length = 0
    this.#inFlight = []
    this.#head = this.#waitingCount = this.#bytes = 0
  }

  /** All items, oldest first. */
  *[Symbol.iterator](): IterableIterator<T> {
    yield* this.#inFlight
    for (let i = 0; i < this.#waitingCount; i++) yield this.#slots[(this.#head + i) % this.capacity] as T
  }

  #fits(item: T): boolean {
    return this.size < this.capacity && this.#bytes + item.bytes <= this.capacityBytes
  }

  /** The circular buffer grows to the largest size that was needed. */
  #append(item: T): void {
    const end = (this.#head + this.#waitingCount) % this.capacity
    if (end < this.#slots.length) this.#slots[end] = item
    else this.#slots.push(item)
    this.#waitingCount++
    this.#bytes += item.bytes
  }

  #shift(): T {
    const item = this.#slots[this.#head] as T
    this.#slots[this.#head] = undefined
    this.#waitingCount--
    this.#head = this.#waitingCount === 0 ? 0 : (this.#head + 1) % this.capacity
    this.#bytes -= item.bytes
    return item
  }
}
