/** Anything that knows roughly how much memory it holds. */
export interface Sized {
  readonly bytes: number
}

/**
 * A queue bounded in items and in bytes whose oldest items make room for new ones.
 *
 * What was `take`n stays counted against both bounds until it is `settle`d, and is never evicted meanwhile: once
 * something has been sent, only the answer may decide whether it is lost. So at every moment
 * `added = settled + evicted + size`.
 */
export class Ring<T extends Sized> {
  readonly capacity: number
  readonly capacityBytes: number
  readonly #slots: (T | undefined)[] = []
  #head = 0
  #waiting = 0
  #taken: readonly T[] = []
  #bytes = 0
  #added = 0
  #released = 0
  #evicted = 0

  constructor(capacity: number, capacityBytes: number) {
    this.capacity = capacity
    this.capacityBytes = capacityBytes
  }

  /** Items held, taken ones included. */
  get size(): number {
    return this.#waiting + this.#taken.length
  }

  /** Items that can be taken. */
  get waiting(): number {
    return this.#waiting
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
   * Adds an item and returns what had to go for it, oldest first. That can be the item itself, when it alone is above
   * the bound, or when everything older has been taken.
   */
  push(item: T): readonly T[] {
    this.#added++
    const gone: T[] = []
    while (this.#waiting > 0 && !this.#fits(item)) gone.push(this.#shift())
    if (this.#fits(item)) this.#append(item)
    else gone.push(item)
    this.#evicted += gone.length
    return gone
  }

  /**
   * The oldest items, at most `count` of them and `bytes` in all, but at least one when there is any. Nothing while
   * what was taken before is not settled.
   */
  take(count: number, bytes: number): readonly T[] {
    if (this.#taken.length > 0) return []
    const batch: T[] = []
    let sum = 0
    while (this.#waiting > 0 && batch.length < count) {
      const next = this.#slots[this.#head] as T
      if (batch.length > 0 && sum + next.bytes > bytes) break
      sum += next.bytes
      batch.push(this.#shift())
    }
    this.#bytes += sum
    this.#taken = batch
    return batch
  }

  /** What was taken has reached its end, whatever it was. */
  release(): void {
    for (const item of this.#taken) this.#bytes -= item.bytes
    this.#released += this.#taken.length
    this.#taken = []
  }

  /** Lets go of everything; what it was counts as evicted. */
  clear(): void {
    this.#evicted += this.size
    this.#slots.length = 0
    this.#taken = []
    this.#head = this.#waiting = this.#bytes = 0
  }

  /** Everything held, oldest first. */
  *[Symbol.iterator](): IterableIterator<T> {
    yield* this.#taken
    for (let i = 0; i < this.#waiting; i++) yield this.#slots[(this.#head + i) % this.capacity] as T
  }

  #fits(item: T): boolean {
    return this.size < this.capacity && this.#bytes + item.bytes <= this.capacityBytes
  }

  /** The slots are a circle which is only as long as it has ever had to be. */
  #append(item: T): void {
    const end = (this.#head + this.#waiting) % this.capacity
    if (end < this.#slots.length) this.#slots[end] = item
    else this.#slots.push(item)
    this.#waiting++
    this.#bytes += item.bytes
  }

  #shift(): T {
    const item = this.#slots[this.#head] as T
    this.#slots[this.#head] = undefined
    this.#waiting--
    this.#head = this.#waiting === 0 ? 0 : (this.#head + 1) % this.capacity
    this.#bytes -= item.bytes
    return item
  }
}
