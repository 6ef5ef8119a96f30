export interface QueueBounds {
  /** Items in progress. */
  readonly concurrency: number
  /** Items in the queue, and their bytes. */
  readonly waiting: number
  readonly waitingBytes: number
}

/** The bound that an item exceeds. */
export type QueueBound = Exclude<keyof QueueBounds, 'atOnce'>

interface QueuedWork<T> {
  readonly item: T
  readonly bytes: number
}

/** A FIFO queue of async work, with bounds on concurrency and on the queue. */
export class WorkQueue<T> {
  readonly #bounds: QueueBounds
  readonly #work: (item: T) => Promise<void>
  /** Bounded by `waiting`. */
  readonly #waiting: QueuedWork<T>[] = []
  #waitingBytes = 0
  #running = 0

  /** `work` must not reject. */
  constructor(bounds: QueueBounds, work: (item: T) => Promise<void>) {
    this.#bounds = bounds
    this.#work = work
  }

  /** Undefined if it accepts the item, otherwise the bound that the item exceeds. */
  add(item: T, bytes: number): QueueBound | undefined {
    if (this.#running < this.#bounds.concurrency) {
      this.#run(item)
      return undefined
    }
    if (this.#waiting.length >= this.#bounds.waiting) return 'waiting'
    if (this.#waitingBytes + bytes > this.#bounds.waitingBytes) return 'waitingBytes'
    this.#waiting.push({ item, bytes })
    this.#waitingBytes += bytes
    return undefined
  }

  #run(item: T): void {
    this.#running++
    void this.#work(item).finally(() => this.#next())
  }

  #next(): void {
    this.#running--
    const next = this.#waiting.shift()
    if (next === undefined) return
    this.#waitingBytes -= next.bytes
    this.#run(next.item)
  }
}
