import { emitSpan, type SpanEffect } from '../catalogue/span-effect.ts'
import { errorMessage } from '../core/errors.ts'
import { limits as bounds } from '../core/limits.ts'
import type { Clock, Random } from '../core/machine.ts'
import type { TraceRef } from '../core/trace.ts'

// While the OTLP receiver is away, `Outbox.#retry` sends the oldest batch again under the backoff, without limit. Newer
// spans wait in the `SpanQueue`, which evicts the oldest at its bounds. The outbox logs the first failure and the
// recovery. The next delivery emits `mesh.telemetry.lost` with the number of lost spans; `close` logs those lost at exit.

/** Where spans were lost: the values of `mesh.lost.where`. */
export type LossLocation = 'ring' | 'refused' | 'exit'

export interface Loss {
  readonly where: LossLocation
  readonly count: number
}

/** An item to be sent. */
export interface QueueItem {
  /** Rough size in memory. */
  readonly bytes: number
  /** The loss that it reports; if the item is lost too, that loss is reported again. */
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
  /** Most spans that wait or are in flight, and their estimated bytes. */
  readonly queuedSpans: number
  readonly queuedBytes: number
  /** Most spans of one request: the usual batch of OpenTelemetry SDKs. */
  readonly batchSpans: number
  /** Estimated bytes of one request, well under the 4 MiB that gRPC servers accept by default. */
  readonly batchBytes: number
  /** Shortest and longest delay between attempts, in milliseconds; it doubles with each failure, minus up to half. */
  readonly backoff: { readonly minMs: number; readonly maxMs: number }
  /** Unknown outcomes of one batch before it counts as refused. */
  readonly maxUnknowns: number
}

export interface ExportLimits extends OutboxLimits {
  /** Longest delay before a span is sent, in milliseconds, for routine and other spans alike. */
  readonly delayMs?: number
}

/** The batch size is the default of OpenTelemetry SDKs. */
const defaults: ExportLimits = {
  queuedSpans: bounds.queuedSpans,
  queuedBytes: bounds.queuedSpanBytes,
  batchSpans: 512,
  batchBytes: 1024 * 1024,
  backoff: { minMs: 500, maxMs: 15_000 },
  maxUnknowns: 8,
}

const variables = [
  ['delayMs', 'OTEL_BSP_SCHEDULE_DELAY'],
  ['batchSpans', 'OTEL_BSP_MAX_EXPORT_BATCH_SIZE'],
  ['queuedSpans', 'OTEL_BSP_MAX_QUEUE_SIZE'],
] as const satisfies (readonly [keyof ExportLimits, string])[]

/** OpenTelemetry's batching variables if they are positive integers, then `overrides`, then the defaults. */
export function resolveLimits(
  overrides: Partial<ExportLimits> = {},
  env: NodeJS.ProcessEnv = process.env,
): ExportLimits {
  const numbers = variables.map(([key, variable]) => [key, Number(env[variable])] as const)
  const fromEnv = numbers.filter(([, number]) => Number.isSafeInteger(number) && number > 0)
  return { ...defaults, ...overrides, ...Object.fromEntries(fromEnv) }
}

export type Reporter = (level: 'info' | 'warn' | 'error', message: string, fields: Record<string, unknown>) => void

export interface OutboxOptions<T> {
  readonly clock: Clock
  readonly random: Random
  readonly limits: OutboxLimits
  readonly sender: Sender<T>
  /** Emits the span that reports a loss, as an item with that loss. */
  readonly emitLoss: (span: SpanEffect, loss: Loss) => TraceRef
  readonly report: Reporter
}

/** A bounded queue of items to be sent: sends them in order, and counts exactly how many are lost. */
export class Outbox<T extends QueueItem> {
  readonly #options: OutboxOptions<T>
  readonly #queue: SpanQueue<T>
  #sent = 0
  #lost = 0
  /** Losses for the next `#emitLoss`, or for the report of `close`. */
  readonly #unreportedLosses: Record<LossLocation, number> = { ring: 0, refused: 0, exit: 0 }
  /** Set while a batch is in flight or waits for a retry. */
  #batch: readonly T[] | undefined
  #isSending = false
  /** Failed exports since the last delivery or flush, for the backoff. */
  #failures = 0
  /** Whether the last export failed; a flush resets the backoff, but not this. */
  #isFailing = false
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
    this.#queue = new SpanQueue(options.limits.queuedSpans, options.limits.queuedBytes)
  }

  /** Items that wait or are in flight. */
  get queued(): number {
    return this.#queue.size
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
    const evictedItems = this.#isClosed ? [item] : this.#queue.push(item)
    for (const lost of evictedItems) this.#recordLoss(lost, this.#isClosed ? 'exit' : 'ring')
    if (this.#isClosed) return
    this.#dueAt = Math.min(this.#dueAt, this.#options.clock.now() + maxDelayMs)
    this.#schedule()
  }

  /**
   * Sends without delay until the queue is empty or `limitMs` is over. Resolves to the number of items still queued.
   */
  flush(limitMs: number): Promise<number> {
    if (this.#isClosed || this.#queue.size === 0) return Promise.resolve(this.#queue.size)
    return new Promise((resolve) => {
      const done = (): void => {
        cancel()
        this.#flushCallbacks = this.#flushCallbacks.filter((other) => other !== done)
        resolve(this.#queue.size)
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
    for (const item of this.#queue.clear()) this.#recordLoss(item, 'exit')
    for (const done of this.#flushCallbacks) done()
    this.#options.sender.close()
    const { ring, refused, exit } = this.#unreportedLosses
    const lost = ring + refused + exit
    if (lost > 0) this.#options.report('error', 'spans were lost at exit', { lost, ring, refused, exit })
    return lost
  }

  #schedule(): void {
    const { clock, limits } = this.#options
    if (this.#batch !== undefined || this.#queue.waitingCount === 0) return
    const now = clock.now()
    const isUrgent = this.#queue.waitingCount >= limits.batchSpans || this.#flushCallbacks.length > 0
    const at = isUrgent ? now : Math.max(now, this.#dueAt)
    if (this.#cancelTimer === undefined || at < this.#timerAt) this.#setTimer(at - now, () => this.#sendNextBatch())
  }

  /** Starts or retries a batch at once, without the pending delay. */
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
    const batch = this.#queue.take(batchSpans, batchBytes)
    // Items that did not fit retain the deadline: early for some, late for none.
    if (this.#queue.waitingCount === 0) this.#dueAt = Number.POSITIVE_INFINITY
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
    this.#queue.release()
    this.#batch = undefined
    if (outcome === 'sent') this.#recordDelivery(batch.length)
    else this.#recordRefusal(batch, cause)
    this.#schedule()
    if (this.#queue.size === 0) for (const done of this.#flushCallbacks) done()
  }

  #retry(batch: readonly T[], cause: unknown): void {
    const { minMs, maxMs } = this.#options.limits.backoff
    if (!this.#isFailing)
      this.#options.report('warn', 'OTLP export failed, spans queued', { cause: errorMessage(cause) })
    this.#isFailing = true
    const longestMs = Math.min(maxMs, minMs * 2 ** this.#failures++)
    const delayMs = (longestMs / 2) * (1 + this.#options.random())
    this.#setTimer(delayMs, () => this.#send(batch))
  }

  #recordDelivery(count: number): void {
    this.#sent += count
    if (this.#isFailing) this.#options.report('info', 'OTLP export recovered', { queued: this.#queue.size })
    this.#isFailing = false
    this.#failures = 0
    for (const where of ['ring', 'refused'] as const) {
      const lost = this.#unreportedLosses[where]
      this.#unreportedLosses[where] = 0
      if (lost > 0) this.#emitLoss({ where, count: lost })
    }
  }

  #emitLoss(loss: Loss): void {
    const span = emitSpan('mesh.telemetry.lost', { 'mesh.lost.count': loss.count, 'mesh.lost.where': loss.where })
    const { traceId, spanId } = this.#options.emitLoss(span, loss)
    this.#options.report('error', 'spans were lost', { ...loss, trace_id: traceId, span_id: spanId })
  }

  #recordRefusal(batch: readonly T[], cause: unknown): void {
    for (const item of batch) this.#recordLoss(item, 'refused')
    this.#options.report('warn', 'the receiver refused spans', { count: batch.length, cause: errorMessage(cause) })
  }

  #recordLoss(item: T, where: LossLocation): void {
    this.#lost++
    this.#unreportedLosses[where]++
    if (item.loss !== undefined) this.#unreportedLosses[item.loss.where] += item.loss.count
  }
}

/**
 * A queue bounded in items and bytes that evicts its oldest items for new ones.
 *
 * Items taken are in flight: they count against both bounds until `release`, and are never evicted, since only the
 * receiver's answer decides whether they are lost.
 */
export class SpanQueue<T extends QueueItem> {
  readonly #capacity: number
  readonly #capacityBytes: number
  /** A circular buffer, which grows to the largest size that was needed. */
  readonly #slots: (T | undefined)[] = []
  #head = 0
  #waitingCount = 0
  #inFlight: readonly T[] = []
  #bytes = 0

  constructor(capacity: number, capacityBytes: number) {
    this.#capacity = capacity
    this.#capacityBytes = capacityBytes
  }

  /** Items that wait or are in flight. */
  get size(): number {
    return this.#waitingCount + this.#inFlight.length
  }

  /** Items not in flight. */
  get waitingCount(): number {
    return this.#waitingCount
  }

  /**
   * Adds an item and returns the evicted ones, oldest first. That can be the item itself, if it alone exceeds a bound
   * or if everything older is in flight.
   */
  push(item: T): readonly T[] {
    const evicted: T[] = []
    while (this.#waitingCount > 0 && !this.#fits(item)) evicted.push(this.#shift())
    if (!this.#fits(item)) return [...evicted, item]
    const end = (this.#head + this.#waitingCount) % this.#capacity
    if (end < this.#slots.length) this.#slots[end] = item
    else this.#slots.push(item)
    this.#waitingCount++
    this.#bytes += item.bytes
    return evicted
  }

  /**
   * Takes the oldest items: at most `count` of them and `bytes` in all, but at least one if there is any. Empty while
   * another batch is in flight.
   */
  take(count: number, bytes: number): readonly T[] {
    if (this.#inFlight.length > 0) return []
    const batch: T[] = []
    let sum = 0
    while (this.#waitingCount > 0 && batch.length < count) {
      const next = this.#slots[this.#head] as T
      if (batch.length > 0 && sum + next.bytes > bytes) break
      sum += next.bytes
      batch.push(this.#shift())
    }
    this.#bytes += sum
    this.#inFlight = batch
    return batch
  }

  /** Removes the items in flight, delivered or lost. */
  release(): void {
    for (const item of this.#inFlight) this.#bytes -= item.bytes
    this.#inFlight = []
  }

  /** Removes and returns everything, oldest first. */
  clear(): readonly T[] {
    const items = [...this.#inFlight]
    this.release()
    while (this.#waitingCount > 0) items.push(this.#shift())
    this.#slots.length = 0
    return items
  }

  #fits(item: T): boolean {
    return this.size < this.#capacity && this.#bytes + item.bytes <= this.#capacityBytes
  }

  #shift(): T {
    const item = this.#slots[this.#head] as T
    this.#slots[this.#head] = undefined
    this.#waitingCount--
    this.#head = this.#waitingCount === 0 ? 0 : (this.#head + 1) % this.#capacity
    this.#bytes -= item.bytes
    return item
  }
}
