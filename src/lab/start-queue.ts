/** Concurrent starts: two for each core of a small machine, since a start also waits. Guess. */
const maxConcurrent = 4

/** Runs starts in order, a few at a time. */
export class StartQueue {
  readonly #waiting: (() => Promise<void>)[] = []
  #running = 0
  #closed = false
  #idle: () => void = () => {}

  add(start: () => Promise<void>): void {
    if (this.#closed) return
    this.#waiting.push(start)
    this.#pump()
  }

  /** Starts nothing more; resolves when running starts are done. */
  async close(): Promise<void> {
    this.#closed = true
    this.#waiting.length = 0
    if (this.#running === 0) return
    await new Promise<void>((resolve) => {
      this.#idle = resolve
    })
  }

  #pump(): void {
    while (this.#running < maxConcurrent) {
      const start = this.#waiting.shift()
      if (start === undefined) return
      this.#running++
      start().finally(() => {
        this.#running--
        if (this.#running === 0) this.#idle()
        this.#pump()
      })
    }
  }
}
