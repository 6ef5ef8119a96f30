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

  /** Resolves with what lets the next one in, to be called once; undefined for who is turned away. */
  async enter(): Promise<(() => void) | undefined> {
    if (this.#inside < this.#atOnce) this.#inside++
    else if (this.#waiting.length >= this.#mayWait) return undefined
    // The place of whoever leaves is handed on: `inside` stays.
    else await new Promise<void>((resolve) => this.#waiting.push(resolve))
    let left = false
    return () => {
      if (left) return
      left = true
      const next = this.#waiting.shift()
      if (next === undefined) this.#inside--
      else next()
    }
  }
}
