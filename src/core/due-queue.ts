/** Something that is due at a time; the queue keeps its place in it. */
export interface Due {
  /** Monotonic milliseconds; Infinity for never. Set by `DueQueue.schedule` alone. */
  dueAt: number
  /** Place in the heap; -1 outside. */
  queueIndex: number
}

/** Children of an item: a flat heap, whose comparisons read neighbouring times. */
const arity = 4

/**
 * A heap of what is due. Scheduling costs the logarithm of its size at most, and a delay nothing until the item comes up:
 * of links that are heard every two seconds only the earliest ever moves.
 */
export class DueQueue<T extends Due> {
  readonly #items: T[] = []
  /** Time by which each item stands in the heap, earlier than its `dueAt` after a delay. A comparison reads these alone. */
  readonly #times: number[] = []

  /** Adds the item, or moves it. */
  schedule(item: T, dueAt: number): void {
    item.dueAt = dueAt
    if (item.queueIndex < 0) {
      this.#times.push(dueAt)
      this.#siftUp(item, dueAt, this.#items.push(item) - 1)
    } else if (dueAt < (this.#times[item.queueIndex] as number)) this.#siftUp(item, dueAt, item.queueIndex)
  }

  /** Does nothing for an item that is not in it. */
  remove(item: T): void {
    const index = item.queueIndex
    if (index < 0) return
    item.queueIndex = -1
    const last = this.#items.pop() as T
    const time = this.#times.pop() as number
    if (last === item) return
    this.#siftUp(last, time, index)
    this.#siftDown(last, time, last.queueIndex)
  }

  /** When the first item is due; Infinity when none is. */
  earliest(): number {
    return this.#first()?.dueAt ?? Infinity
  }

  /** Takes out the items due by `now`, earliest first; the caller schedules each anew. */
  takeDue(now: number): T[] {
    const due: T[] = []
    for (let first = this.#first(); first !== undefined && first.dueAt <= now; first = this.#first()) {
      this.remove(first)
      due.push(first)
    }
    return due
  }

  /** The item at the top, once it stands there by its true time. */
  #first(): T | undefined {
    let first = this.#items[0]
    while (first !== undefined && (this.#times[0] as number) < first.dueAt) {
      this.#siftDown(first, first.dueAt, 0)
      first = this.#items[0]
    }
    return first
  }

  #siftUp(item: T, time: number, from: number): void {
    let index = from
    while (index > 0) {
      const parent = Math.floor((index - 1) / arity)
      if ((this.#times[parent] as number) <= time) break
      this.#place(this.#items[parent] as T, this.#times[parent] as number, index)
      index = parent
    }
    this.#place(item, time, index)
  }

  #siftDown(item: T, time: number, from: number): void {
    let index = from
    for (let least = this.#leastChild(index); least !== undefined; least = this.#leastChild(index)) {
      if (time <= (this.#times[least] as number)) break
      this.#place(this.#items[least] as T, this.#times[least] as number, index)
      index = least
    }
    this.#place(item, time, index)
  }

  #leastChild(index: number): number | undefined {
    const from = arity * index + 1
    const until = Math.min(from + arity, this.#times.length)
    if (from >= until) return undefined
    let least = from
    for (let child = from + 1; child < until; child++)
      if ((this.#times[child] as number) < (this.#times[least] as number)) least = child
    return least
  }

  #place(item: T, time: number, index: number): void {
    this.#items[index] = item
    this.#times[index] = time
    item.queueIndex = index
  }
}
