import type { Clock, Random } from '../core/machine.ts'
import { Ring, type Sized } from './ring.ts'

/** Where spans were lost: the values of `mesh.lost.where`. */
export type LossLocation = 'ring' | 'refused' | 'exit'

export interface Loss {
  readonly where: LossLocation
  readonly count: number
}

/** An item to be sent. `loss`: the loss that it reports; if the item is lost too, that loss is reported again. */
export interface QueueItem extends Sized {
  readonly loss?: Loss | undefined
}

/**
 * Outcome of sending a batch. `retryable`: the receiver did not process it; retry without limit. `refused`: the
 * receiver read it and will never accept it. `unknown`: could be either; retry a few times.
 */
export type Outcome = 'sent' | 'retryable' | 'refused' | 'unknown'

export interface Sender<T> {
  /** Calls `onOutcome` exactly once, and not before it returns. */
  send(batch: readonly T[], onOutcome: (outcome: Outcome, cause?: unknown) => void): void
  close(): void
}

export interface OutboxLimits {
  readonly spans: number
  readonly spanBytes: number
  /** Most spans of one request: the usual batch of OpenTelemetry SDKs. */
  readonly batchSpans: number
  /** Estimated bytes of one request, well under the 4 MiB that gRPC servers accept by default. */
  readonly batchBytes: number
  /** First and longest delay between attempts, in milliseconds. */
  readonly retryMs: number
  readonly maxRetryMs: number
  /** Unknown outcomes of one batch before it counts as refused. */
  readonly maxUnknowns: number
}

export type Reporter = (level: 'info' | 'warn' | 'error', message: string, fields: Record<string, unknown>) => void

export interface OutboxOptions<T> {
  readonly clock: Clock
  readonly random: Random
  readonly limits: OutboxLimits
  readonly sender: Sender<T>
  /** Called after a delivery if spans were lost before: adds an item that reports the loss. */
  readonly emitLoss: (loss: Loss) => void
  readonly report: Reporter
}

/** A bounded queue of items to be sent: sends them in order, and counts exactly how many are lost. */
export class Outbox<T extends QueueItem> {
  readonly #options: OutboxOptions<T>
  readonly #ring: Ring<T>
  #sent = 0
  #lost = 0
  /** Losses for the next `emitLoss`, or for the report of `close`. */
  readonly #unreportedLosses: Record<LossLocation, number> = { ring: 0, refused: 0, exit: 0 }
  /** Set while a batch is in flight or waits for a retry. */
  #batch: readonly T[] | undefined
  #isSending = false
  #failures = 0
  #unknowns = 0
  /** Deadline of the next request on the monotonic clock: the earliest of all waiting items. */
  #dueAt = Number.POSITIVE_INFINITY
  #cancelTimer: (() => void) | undefined
  #timerAt = 0
  /** Pending flushes; while there are any, batches are sent without waiting to fill. */
  #flushCallbacks: (() => void)[] = []
  #isClosed = false

  constructor(options: OutboxOptions<T>) {
    this.#options = options
    this.#ring = new Ring(options.limits.spans, options.limits.spanBytes)
  }

  /** Items that wait or are in flight. */
  get queued(): number {
    return this.#ring.size
  }

  get sent(): number {
    return this.#sent
  }

  /** Items that will never arrive. `added = sent + lost + queued` at all times. */
  get lost(): number {
    return this.#lost
  }

  /** Sends the item within `maxDelayMs` milliseconds, together with all that wait; sooner if a batch fills. */
  add(item: T, maxDelayMs: number): void {
    const evictedItems = this.#isClosed ? [item] : this.#ring.push(item)
    for (const lost of evictedItems) this.#recordLoss(lost, this.#isClosed ? 'exit' : 'ring')
    if (this.#isClosed) return
    this.#dueAt = Math.min(this.#dueAt, this.#options.clock.now() + maxDelayMs)
    this.#schedule()
  }

  /**
   * Sends without delay until the queue is empty or `limitMs` is over. Resolves to the number of items still queued.
   */
  flush(limitMs: number): Promise<number> {
    if (this.#isClosed || this.#ring.size === 0) return Promise.resolve(this.#ring.size)
    return new Promise((resolve) => {
      const done = (): void => {
        cancel()
        this.#flushCallbacks = this.#flushCallbacks.filter((other) => other !== done)
        resolve(this.#ring.size)
      }
      const cancel = this.#options.clock.after(limitMs, done)
      this.#flushCallbacks.push(done)
      this.#sendNow()
    })
  }

  /**
   * Flushes, then drops the rest. Reports, and resolves to, the number of lost spans that no span reports.
   * A batch still in flight counts as lost: nothing confirms that it arrived.
   */
  async close(limitMs: number): Promise<number> {
    if (this.#isClosed) return 0
    await this.flush(limitMs)
    this.#isClosed = true
    this.#cancelTimer?.()
    for (const item of this.#ring) this.#recordLoss(item, 'exit')
    this.#ring.clear()
    for (const done of this.#flushCallbacks) done()
    this.#options.sender.close()
    const { ring, refused, exit } = this.#unreportedLosses
    const lost = ring + refused + exit
    if (lost > 0) this.#options.report('error', 'spans were lost at exit', { lost, ring, refused, exit })
    return lost
  }

  #schedule(): void {
    const { clock, limits } = this.#options
    if (this.#batch !== undefined || this.#ring.waitingCount === 0) return
    const now = clock.now()
    const isUrgent = this.#ring.waitingCount >= limits.batchSpans || this.#flushCallbacks.length > 0
    const at = isUrgent ? now : Math.max(now, this.#dueAt)
    if (this.#cancelTimer === undefined || at < this.#timerAt) this.#setTimer(at - now, () => this.#sendNextBatch())
  }

  /** Starts or retries a batch at once, without the pending backoff. */
  #sendNow(): void {
    this.#failures = 0
    const batch = this.#batch
    if (batch === undefined) this.#schedule()
    else if (!this.#isSending) this.#setTimer(0, () => this.#send(batch))
  }

  /** The only timer: it starts a batch or retries one. */
  #setTimer(ms: number, run: () => void): void {
    this.#cancelTimer?.()
    const { clock } = this.#options
    this.#timerAt = clock.now() + ms
    this.#cancelTimer = clock.after(ms, () => {
      this.#cancelTimer = undefined
      run()
    })
  }

  #sendNextBatch(): void {
    const { batchSpans, batchBytes } = this.#options.limits
    this.#unknowns = 0
    const batch = this.#ring.take(batchSpans, batchBytes)
    // Items that did not fit retain the deadline: early for some, late for none.
    if (this.#ring.waitingCount === 0) this.#dueAt = Number.POSITIVE_INFINITY
    this.#send(batch)
  }

  #send(batch: readonly T[]): void {
    this.#batch = batch
    this.#isSending = true
    this.#options.sender.send(batch, (outcome, cause) => {
      this.#isSending = false
      if (!this.#isClosed) this.#handleOutcome(batch, outcome, cause)
    })
  }

  #handleOutcome(batch: readonly T[], outcome: Outcome, cause: unknown): void {
    const shouldRetry =
      outcome === 'retryable' || (outcome === 'unknown' && ++this.#unknowns < this.#options.limits.maxUnknowns)
    if (shouldRetry) {
      this.#retry(batch, cause)
      return
    }
    this.#ring.release()
    this.#batch = undefined
    if (outcome === 'sent') this.#recordDelivery(batch.length)
    else this.#recordRefusal(batch, cause)
    this.#schedule()
    if (this.#ring.size === 0) for (const done of this.#flushCallbacks) done()
  }

  #retry(batch: readonly T[], cause: unknown): void {
    const { retryMs, maxRetryMs } = this.#options.limits
    if (this.#failures === 0)
      this.#options.report('warn', 'OTLP export failed, spans queued', { cause: describeCause(cause) })
    const wait = Math.min(maxRetryMs, retryMs * 2 ** this.#failures++)
    this.#setTimer(wait / 2 + (wait / 2) * this.#options.random(), () => this.#send(batch))
  }

  #recordDelivery(count: number): void {
    this.#sent += count
    if (this.#failures > 0) this.#options.report('info', 'OTLP export recovered', { queued: this.#ring.size })
    this.#failures = 0
    for (const where of ['ring', 'refused'] as const) {
      const lost = this.#unreportedLosses[where]
      this.#unreportedLosses[where] = 0
      if (lost > 0) this.#options.emitLoss({ where, count: lost })
    }
  }

  #recordRefusal(batch: readonly T[], cause: unknown): void {
    for (const item of batch) this.#recordLoss(item, 'refused')
    this.#options.report('warn', 'the receiver refused spans', { count: batch.length, cause: describeCause(cause) })
  }

  #recordLoss(item: T, where: LossLocation): void {
    this.#lost++
    this.#unreportedLosses[where]++
    if (item.loss !== undefined) this.#unreportedLosses[item.loss.where] += item.loss.count
  }
}

function describeCause(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}
