import type { Clock, Random } from '../core/machine.ts'
import { Ring, type Sized } from './ring.ts'

/** Where spans were lost on the way out, as `mesh.lost.where` says it. */
export type LostWhere = 'ring' | 'refused' | 'exit'

export interface Loss {
  readonly where: LostWhere
  readonly count: number
}

/** What is sent. One that itself tells of a loss says so: when it is lost too, its news must not be. */
export interface QueueItem extends Sized {
  readonly loss?: Loss | undefined
}

/**
 * What became of a batch. `away`: nobody took it, try again for as long as it takes. `refused`: it was read and will
 * never be taken. `doubtful`: could be either, so it is tried again a few times.
 */
export type Outcome = 'sent' | 'retryable' | 'refused' | 'unknown'

export interface Sender<T> {
  /** Answers exactly once, and not before it returns. */
  send(batch: readonly T[], answer: (outcome: Outcome, cause?: unknown) => void): void
  close(): void
}

export interface OutboxLimits {
  readonly spans: number
  readonly spanBytes: number
  /** Most spans of one request: the usual batch of OpenTelemetry SDKs. */
  readonly batchSpans: number
  /** Estimated bytes of one request, well under the 4 MiB that gRPC servers accept by default. */
  readonly batchBytes: number
  /** First and longest wait between attempts, in milliseconds. */
  readonly retryMs: number
  readonly retryMaxMs: number
  /** Doubtful answers to one batch before it counts as refused. */
  readonly unknownsMax: number
}

export type Report = (level: 'info' | 'warn' | 'error', message: string, fields: Record<string, unknown>) => void

export interface OutboxOptions<T> {
  readonly clock: Clock
  readonly random: Random
  readonly limits: OutboxLimits
  readonly sender: Sender<T>
  /** Called when spans leave again and some were lost before: to add a parcel that says so. */
  readonly emitLoss: (loss: Loss) => void
  readonly report: Report
}

/** Keeps what waits to be sent within bounds, sends it in order, and knows exactly what was lost. */
export class Outbox<T extends QueueItem> {
  readonly #options: OutboxOptions<T>
  readonly #ring: Ring<T>
  #sent = 0
  #lost = 0
  /** Lost and not yet told: it joins the next `tellLoss`, or the report of `close`. */
  readonly #unreported: Record<LostWhere, number> = { ring: 0, refused: 0, exit: 0 }
  /** Set while a batch is with the sender or waits to be tried again. */
  #batch: readonly T[] | undefined
  #sending = false
  #failures = 0
  #unknowns = 0
  /** When a request has to leave at the latest, on the monotonic clock: the earliest that a waiting parcel asks for. */
  #due = Number.POSITIVE_INFINITY
  #cancelTimer: (() => void) | undefined
  #timerAt = 0
  /** Calls waiting for everything to be gone; while there are any, nothing waits for a batch to fill. */
  #drains: (() => void)[] = []
  #closed = false

  constructor(options: OutboxOptions<T>) {
    this.#options = options
    this.#ring = new Ring(options.limits.spans, options.limits.spanBytes)
  }

  /** Parcels held: waiting, or sent and not yet answered. */
  get queued(): number {
    return this.#ring.size
  }

  get sent(): number {
    return this.#sent
  }

  /** Parcels that will never arrive. `added = sent + lost + queued` at all times. */
  get lost(): number {
    return this.#lost
  }

  /** The parcel leaves within `waitMs` milliseconds, with all that wait; sooner when a batch is full before. */
  add(item: T, waitMs: number): void {
    const gone = this.#closed ? [item] : this.#ring.push(item)
    for (const lost of gone) this.#lose(lost, this.#closed ? 'exit' : 'ring')
    if (this.#closed) return
    this.#due = Math.min(this.#due, this.#options.clock.now() + waitMs)
    this.#arm()
  }

  /** Sends without delay until nothing is left or `limitMs` is over. Resolves to what is left. */
  flush(limitMs: number): Promise<number> {
    if (this.#closed || this.#ring.size === 0) return Promise.resolve(this.#ring.size)
    return new Promise((resolve) => {
      const done = (): void => {
        cancel()
        this.#drains = this.#drains.filter((other) => other !== done)
        resolve(this.#ring.size)
      }
      const cancel = this.#options.clock.after(limitMs, done)
      this.#drains.push(done)
      this.#hurry()
    })
  }

  /**
   * Flushes, then gives up what is left. Resolves to the number of lost spans that no span tells of, and reports it.
   * A batch that was sent but not answered by then counts as lost: nothing says that it arrived.
   */
  async close(limitMs: number): Promise<number> {
    if (this.#closed) return 0
    await this.flush(limitMs)
    this.#closed = true
    this.#cancelTimer?.()
    for (const item of this.#ring) this.#lose(item, 'exit')
    this.#ring.clear()
    for (const done of this.#drains) done()
    this.#options.sender.close()
    const { ring, refused, exit } = this.#unreported
    const lost = ring + refused + exit
    if (lost > 0) this.#options.report('error', 'spans were lost at exit', { lost, ring, refused, exit })
    return lost
  }

  #arm(): void {
    const { clock, limits } = this.#options
    if (this.#batch !== undefined || this.#ring.waiting === 0) return
    const now = clock.now()
    const urgent = this.#ring.waiting >= limits.batchSpans || this.#drains.length > 0
    const at = urgent ? now : Math.max(now, this.#due)
    if (this.#cancelTimer === undefined || at < this.#timerAt) this.#after(at - now, () => this.#begin())
  }

  /** The receiver is asked again at once, whatever wait was chosen before. */
  #hurry(): void {
    this.#failures = 0
    const batch = this.#batch
    if (batch === undefined) this.#arm()
    else if (!this.#sending) this.#after(0, () => this.#send(batch))
  }

  /** The one timer: it either begins a batch or tries one again. */
  #after(ms: number, run: () => void): void {
    this.#cancelTimer?.()
    const { clock } = this.#options
    this.#timerAt = clock.now() + ms
    this.#cancelTimer = clock.after(ms, () => {
      this.#cancelTimer = undefined
      run()
    })
  }

  #begin(): void {
    const { batchSpans, batchBytes } = this.#options.limits
    this.#unknowns = 0
    const batch = this.#ring.take(batchSpans, batchBytes)
    // What did not fit keeps the time that was set: early for some, late for none.
    if (this.#ring.waiting === 0) this.#due = Number.POSITIVE_INFINITY
    this.#send(batch)
  }

  #send(batch: readonly T[]): void {
    this.#batch = batch
    this.#sending = true
    this.#options.sender.send(batch, (outcome, cause) => {
      this.#sending = false
      if (!this.#closed) this.#answered(batch, outcome, cause)
    })
  }

  #answered(batch: readonly T[], outcome: Outcome, cause: unknown): void {
    const again =
      outcome === 'retryable' || (outcome === 'unknown' && ++this.#unknowns < this.#options.limits.unknownsMax)
    if (again) {
      this.#retry(batch, cause)
      return
    }
    this.#ring.release()
    this.#batch = undefined
    if (outcome === 'sent') this.#delivered(batch.length)
    else this.#refused(batch, cause)
    this.#arm()
    if (this.#ring.size === 0) for (const done of this.#drains) done()
  }

  #retry(batch: readonly T[], cause: unknown): void {
    const { retryMs, retryMaxMs } = this.#options.limits
    if (this.#failures === 0)
      this.#options.report('warn', 'no receiver takes spans; they are kept', { cause: text(cause) })
    const wait = Math.min(retryMaxMs, retryMs * 2 ** this.#failures++)
    this.#after(wait / 2 + (wait / 2) * this.#options.random(), () => this.#send(batch))
  }

  #delivered(count: number): void {
    this.#sent += count
    if (this.#failures > 0) this.#options.report('info', 'spans leave again', { queued: this.#ring.size })
    this.#failures = 0
    for (const where of ['ring', 'refused'] as const) {
      const lost = this.#unreported[where]
      this.#unreported[where] = 0
      if (lost > 0) this.#options.emitLoss({ where, count: lost })
    }
  }

  #refused(batch: readonly T[], cause: unknown): void {
    for (const item of batch) this.#lose(item, 'refused')
    this.#options.report('warn', 'the receiver refused spans', { count: batch.length, cause: text(cause) })
  }

  #lose(item: T, where: LostWhere): void {
    this.#lost++
    this.#unreported[where]++
    if (item.loss !== undefined) this.#unreported[item.loss.where] += item.loss.count
  }
}

function text(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}
