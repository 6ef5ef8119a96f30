import type { Logger } from 'pino'
import { isMeshError } from '../core/errors.ts'
import type { Export, SpanStore } from './span-store.ts'

interface Waiting {
  readonly one: Export
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** Between two looks at the age of spans, in milliseconds. */
const lookEveryMs = 5_000

/**
 * What comes in: exports of one turn of the event loop are committed together, then answered; packing and evicting
 * are done after that, in steps that let others run.
 */
export class Intake {
  readonly #store: SpanStore
  readonly #logger: Logger | undefined
  readonly #timer: NodeJS.Timeout
  #waiting: Waiting[] = []
  #evicting = false
  #closed = false
  /** Told once, until something is kept again. */
  #troubled = false

  constructor(store: SpanStore, logger: Logger | undefined) {
    this.#store = store
    this.#logger = logger
    this.#timer = setInterval(() => this.#tidy(true), lookEveryMs).unref()
    this.#tidy(true)
  }

  /** Rejects when it could not be kept: with MESH_STORE_FULL, or what is a defect. */
  take(one: Export): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ one, resolve, reject })
      if (this.#waiting.length === 1) setImmediate(() => this.#commit())
    })
  }

  /** Commits what has come by now. */
  close(): void {
    this.#commit()
    this.#closed = true
    clearInterval(this.#timer)
  }

  #commit(): void {
    const waiting = this.#waiting
    this.#waiting = []
    if (waiting.length === 0) return
    try {
      if (this.#closed) throw new Error('the store is stopping')
      this.#store.add(waiting.map(({ one }) => one))
      this.#well()
      for (const { resolve } of waiting) resolve()
    } catch (error) {
      this.#trouble(error)
      for (const { reject } of waiting) reject(error)
    }
    this.#tidy(false)
  }

  /** Packs when there is enough; after that sees to the bounds, and before it when it is `time`: what goes makes room. */
  #tidy(time: boolean): void {
    if (this.#closed) return
    if (time) this.#trying(() => this.#evict())
    this.#trying(() => {
      if (this.#store.seal()) this.#evict()
    })
  }

  /** A step now, and the next when everybody had their turn, as long as there is something to do. */
  #evict(): void {
    if (this.#evicting || !this.#store.evict()) return
    this.#evicting = true
    setImmediate(() => {
      this.#evicting = false
      if (!this.#closed) this.#trying(() => this.#evict())
    })
  }

  #trying(work: () => void): void {
    try {
      work()
    } catch (error) {
      this.#trouble(error)
    }
  }

  #well(): void {
    if (this.#troubled) this.#logger?.info('spans are kept again')
    this.#troubled = false
  }

  #trouble(error: unknown): void {
    if (this.#troubled) return
    this.#troubled = true
    const level = isMeshError(error, 'MESH_STORE_FULL') ? 'warn' : 'error'
    this.#logger?.[level]({ err: error }, 'spans cannot be kept; senders are asked to keep them')
  }
}
