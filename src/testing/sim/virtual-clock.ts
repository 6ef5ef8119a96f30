import type { Clock } from '../../core/machine.ts'

interface Timer {
  readonly at: number
  /** Order of registration: it decides between timers due at the same time. */
  readonly order: number
  /** Undefined once fired or cancelled. */
  run: (() => void) | undefined
}

export interface VirtualClockOptions {
  /** Monotonic milliseconds to begin at. */
  readonly start?: number
  /** Wall clock at `start`, in Unix milliseconds. */
  readonly wall?: number
}

/** Timers at one instant above which the clock assumes a timer that re-arms itself without delay. */
const maxTimersAtOnce = 1_000_000

/** A clock that moves only by `advance` and `runUntil`. Timers due at the same time fire in order of creation. */
export class VirtualClock implements Clock {
  #now: number
  readonly #wallOffset: number
  #order = 0
  #pending = 0
  /** Binary min-heap by (at, order). Cancelled timers stay until they reach the top, or until they are the majority. */
  #heap: Timer[] = []

  constructor({ start = 0, wall = Date.UTC(2030, 0, 1) }: VirtualClockOptions = {}) {
    this.#now = start
    this.#wallOffset = wall - start
  }

  now(): number {
    return this.#now
  }

  wall(): number {
    return this.#now + this.#wallOffset
  }

  /** Throws RangeError for a delay that is not finite: the caller must handle "never". */
  after(ms: number, run: () => void): () => void {
    const timer = this.schedule(ms, run)
    return () => this.#cancel(timer)
  }

  /** As `after`, without a way to cancel: what arrives from a network. */
  schedule(ms: number, run: () => void): Timer {
    if (!Number.isFinite(ms)) throw new RangeError(`a timer needs a finite delay, not ${ms}`)
    const timer: Timer = { at: this.#now + Math.max(0, ms), order: this.#order++, run }
    this.#pending++
    this.#push(timer)
    return timer
  }

  /** Timers that have neither fired nor been cancelled. */
  get pending(): number {
    return this.#pending
  }

  /** Time of the next timer, Infinity without one. */
  next(): number {
    while (this.#heap[0] !== undefined && this.#heap[0].run === undefined) this.#pop()
    return this.#heap[0]?.at ?? Infinity
  }

  advance(ms: number): void {
    this.runUntil(this.#now + ms)
  }

  /**
   * Fires everything due up to and including `time`, each timer at its own time, then stays at `time`.
   * Throws RangeError when `time` is past or infinite, Error when timers re-arm for ever at one instant, and any error
   * of a timer: that timer is then used up and the clock stays at its time.
   */
  runUntil(time: number): void {
    if (!Number.isFinite(time) || time < this.#now) throw new RangeError(`cannot run from ${this.#now} until ${time}`)
    let atOnce = 0
    for (let at = this.next(); at <= time; at = this.next()) {
      atOnce = at === this.#now ? atOnce + 1 : 0
      if (atOnce > maxTimersAtOnce) throw new Error(`timers re-arm for ever at ${at} ms`)
      this.#now = at
      this.#fire()
    }
    this.#now = time
  }

  #fire(): void {
    const timer = this.#pop()
    const run = timer?.run
    if (timer === undefined || run === undefined) return
    timer.run = undefined
    this.#pending--
    run()
  }

  #cancel(timer: Timer): void {
    if (timer.run === undefined) return
    timer.run = undefined
    this.#pending--
    if (this.#heap.length < 64 || this.#heap.length < 2 * this.#pending) return
    // A sorted array is a heap.
    this.#heap = this.#heap.filter((one) => one.run !== undefined).sort((a, b) => (before(a, b) ? -1 : 1))
  }

  #push(timer: Timer): void {
    const heap = this.#heap
    let index = heap.push(timer) - 1
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (!before(timer, heap[parent] as Timer)) break
      heap[index] = heap[parent] as Timer
      index = parent
    }
    heap[index] = timer
  }

  #pop(): Timer | undefined {
    const heap = this.#heap
    const top = heap[0]
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return top
    let index = 0
    for (let child = 1; child < heap.length; child = 2 * index + 1) {
      const right = child + 1
      if (right < heap.length && before(heap[right] as Timer, heap[child] as Timer)) child = right
      if (!before(heap[child] as Timer, last)) break
      heap[index] = heap[child] as Timer
      index = child
    }
    heap[index] = last
    return top
  }
}

function before(a: Timer, b: Timer): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order)
}
