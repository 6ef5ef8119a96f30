/**
 * Accepts ahead: a caller that accepts one connection after the other gets the first that is finished, whichever began
 * first. A place costs a promise and its native side, some 2 KB (measured).
 */
export class AcceptPool<C> {
  readonly #accept: () => Promise<C>
  /** Finished ones that nobody took yet: no more than places. */
  #finished: Promise<C>[] = []
  /** Callers, one in practice. */
  #waiting: ((finished: Promise<C>) => void)[] = []
  /** Set once it is closed. */
  #drop: ((connection: C) => void) | undefined

  /** `places`: how many it accepts at a time, those of waiting callers not counted. */
  constructor(accept: () => Promise<C>, places: number) {
    this.#accept = accept
    for (let place = 0; place < places; place++) this.#begin()
  }

  /** The next finished one, which another replaces. Rejects if that one failed. */
  next(): Promise<C> {
    this.#begin()
    const finished = this.#finished.shift()
    return finished ?? new Promise((resolve) => this.#waiting.push(resolve))
  }

  /** Passes what finishes from now on, and nobody waits for, to `drop`. */
  close(drop: (connection: C) => void): void {
    this.#drop = drop
    for (const finished of this.#finished) finished.then(drop, () => {})
    this.#finished = []
  }

  #begin(): void {
    const accepted = this.#accept()
    const onFinished = () => {
      const waiting = this.#waiting.shift()
      if (waiting !== undefined) waiting(accepted)
      else if (this.#drop !== undefined) accepted.then(this.#drop, () => {})
      else this.#finished.push(accepted)
    }
    accepted.then(onFinished, onFinished)
  }
}
