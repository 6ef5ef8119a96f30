/** Lets so many through at once, has so many wait, and turns away the rest. */
export class Gate {
  readonly #atOnce: number
  readonly #mayWait: number
  #inside = 0
  #waiting: (() => void)[] = []

  constructor(atOnce: number, mayWait: number) {
    this.#atOnce = atOnce
    this.#mayWait = mayWait
  }

  /**
   * Resolves with what lets the next one in, to be called once; undefined for who is turned away. Rejects with what
   * `signal` aborts with: then nobody has to leave.
   */
  async enter(signal: AbortSignal): Promise<(() => void) | undefined> {
    signal.throwIfAborted()
    if (this.#inside < this.#atOnce) this.#inside++
    else if (this.#waiting.length >= this.#mayWait) return undefined
    // The place of whoever leaves is handed on: `inside` stays.
    else await this.#turn(signal)
    let left = false
    return () => {
      if (left) return
      left = true
      const next = this.#waiting.shift()
      if (next === undefined) this.#inside--
      else next()
    }
  }

  #turn(signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const giveUp = () => {
      this.#waiting = this.#waiting.filter((other) => other !== next)
      reject(signal.reason)
    }
    const next = () => {
      signal.removeEventListener('abort', giveUp)
      resolve()
    }
    signal.addEventListener('abort', giveUp, { once: true })
    this.#waiting.push(next)
    return promise
  }
}
