/** Runs a bounded number of tasks at once, queues a bounded number, and rejects the rest. */
export class ConcurrencyLimiter {
  readonly #maxActive: number
  readonly #maxWaiting: number
  #active = 0
  #waiting: (() => void)[] = []

  constructor(maxActive: number, maxWaiting: number) {
    this.#maxActive = maxActive
    this.#maxWaiting = maxWaiting
  }

  /**
   * Resolves to the function that releases the slot, or to undefined if the queue is full. Rejects with the reason of
   * `signal`, without taking a slot.
   */
  async acquire(signal: AbortSignal): Promise<(() => void) | undefined> {
    signal.throwIfAborted()
    if (this.#active < this.#maxActive) this.#active++
    else if (this.#waiting.length >= this.#maxWaiting) return undefined
    // A released slot passes to the next in the queue, so `active` stays the same.
    else await this.#waitForSlot(signal)
    let isReleased = false
    return () => {
      if (isReleased) return
      isReleased = true
      const next = this.#waiting.shift()
      if (next === undefined) this.#active--
      else next()
    }
  }

  #waitForSlot(signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const onAbort = () => {
      this.#waiting = this.#waiting.filter((other) => other !== next)
      reject(signal.reason)
    }
    const next = () => {
      signal.removeEventListener('abort', onAbort)
      resolve()
    }
    signal.addEventListener('abort', onAbort, { once: true })
    this.#waiting.push(next)
    return promise
  }
}
