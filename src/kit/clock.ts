import type { Clock } from '../core/machine.ts'
import type { Owner } from '../core/owner.ts'

/** The process's clock. Owners cancel their timers, so none needs `unref`. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  after: (ms, run) => {
    const timer = setTimeout(run, ms)
    return () => clearTimeout(timer)
  },
}

/** Waits on the owner's clock, in milliseconds. Ends early when the owner closes, which cancels its timers. */
export function pause(owner: Owner, ms: number): Promise<void> {
  if (owner.closed) return Promise.resolve()
  const { promise, resolve } = Promise.withResolvers<void>()
  const wake = () => {
    owner.signal.removeEventListener('abort', wake)
    resolve()
  }
  owner.signal.addEventListener('abort', wake)
  owner.after(ms, wake)
  return promise
}

/** A bound on one operation. */
export interface Deadline {
  readonly signal: AbortSignal
  /** Releases the timer and the listeners. Call it when the operation has ended, or they keep its streams in memory. */
  readonly clear: () => void
}

/** Aborts after `ms` milliseconds with a `TimeoutError`, or with the first of `signals` and its reason. */
export function startDeadline(ms: number, signals: readonly AbortSignal[]): Deadline {
  const controller = new AbortController()
  const clear = () => {
    clearTimeout(timer)
    for (const signal of signals) signal.removeEventListener('abort', onAbort)
  }
  const abort = (reason: unknown) => {
    clear()
    controller.abort(reason)
  }
  const onAbort = ({ target }: Event) => abort((target as AbortSignal).reason)
  const timer = setTimeout(() => abort(new DOMException(`no response within ${ms} ms`, 'TimeoutError')), ms).unref()
  for (const signal of signals) signal.addEventListener('abort', onAbort, { once: true })
  const abortedSignal = signals.find((signal) => signal.aborted)
  if (abortedSignal !== undefined) abort(abortedSignal.reason)
  return { signal: controller.signal, clear }
}

/**
 * Settles as `work` does, or rejects with the reason of the signal when it aborts first; `work` itself goes on. Takes as
 * many microtasks without a signal as with one: several callers that wait for the same `work` keep their order. (libp2p's
 * `race-signal` does neither: it rejects with an error of its own.)
 */
export function raceAbort<T>(signal: AbortSignal | undefined, work: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  const abort = () => reject(signal?.reason)
  if (signal?.aborted === true) abort()
  else signal?.addEventListener('abort', abort, { once: true })
  return Promise.race([promise, work]).finally(() => signal?.removeEventListener('abort', abort))
}

/** Lets one event pass per `intervalMs`. */
export class RateLimiter {
  readonly #intervalMs: number
  #lastMs = -Infinity

  constructor(intervalMs: number) {
    this.#intervalMs = intervalMs
  }

  /** Whether the event at `now` (monotonic milliseconds) passes. */
  take(now: number): boolean {
    if (now - this.#lastMs < this.#intervalMs) return false
    this.#lastMs = now
    return true
  }
}

/** Milliseconds between two sampled spans of messages or requests, in each direction. */
export const sampleMs = 1_000
