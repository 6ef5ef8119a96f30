import type { Logger } from 'pino'
import { isMeshError } from '../core/errors.ts'
import type { Export, SpanStore } from './span-store.ts'

interface PendingExport {
  readonly one: Export
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** Interval between checks of the age of spans, in milliseconds. */
const checkIntervalMs = 5_000

/**
 * Commits the exports of one turn of the event loop together, then answers them. Packs and evicts afterwards, in steps
 * that do not block the event loop.
 */
export class Intake {
  readonly #store: SpanStore
  readonly #logger: Logger | undefined
  readonly #timer: NodeJS.Timeout
  #pending: PendingExport[] = []
  #isEvicting = false
  #isClosed = false
  /** The first failure is logged, then nothing until a commit succeeds. */
  #isFailing = false

  constructor(store: SpanStore, logger: Logger | undefined) {
    this.#store = store
    this.#logger = logger
    this.#timer = setInterval(() => this.#maintain(true), checkIntervalMs).unref()
    this.#maintain(true)
  }

  /** Rejects if the export could not be stored: with MESH_STORE_FULL, or with another error for a defect. */
  ingest(one: Export): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#pending.push({ one, resolve, reject })
      if (this.#pending.length === 1) setImmediate(() => this.#commit())
    })
  }

  /** Commits the pending exports. */
  close(): void {
    this.#commit()
    this.#isClosed = true
    clearInterval(this.#timer)
  }

  #commit(): void {
    const pending = this.#pending
    this.#pending = []
    if (pending.length === 0) return
    try {
      if (this.#isClosed) throw new Error('the store is stopping')
      this.#store.add(pending.map(({ one }) => one))
      this.#reportRecovery()
      for (const { resolve } of pending) resolve()
    } catch (error) {
      this.#reportFailure(error)
      for (const { reject } of pending) reject(error)
    }
    this.#maintain(false)
  }

  /** Packs if there is enough, then evicts. The timed call evicts first too, to make room for packing. */
  #maintain(isTimed: boolean): void {
    if (this.#isClosed) return
    if (isTimed) this.#tryTo(() => this.#evict())
    this.#tryTo(() => {
      if (this.#store.seal()) this.#evict()
    })
  }

  /** Evicts one step now and the next one in a later turn of the event loop, as long as there is more to evict. */
  #evict(): void {
    if (this.#isEvicting || !this.#store.evict()) return
    this.#isEvicting = true
    setImmediate(() => {
      this.#isEvicting = false
      if (!this.#isClosed) this.#tryTo(() => this.#evict())
    })
  }

  #tryTo(work: () => void): void {
    try {
      work()
    } catch (error) {
      this.#reportFailure(error)
    }
  }

  #reportRecovery(): void {
    if (this.#isFailing) this.#logger?.info('storing spans again')
    this.#isFailing = false
  }

  #reportFailure(error: unknown): void {
    if (this.#isFailing) return
    this.#isFailing = true
    const level = isMeshError(error, 'MESH_STORE_FULL') ? 'warn' : 'error'
    this.#logger?.[level]({ err: error }, 'storing spans failed; senders should retry')
  }
}
