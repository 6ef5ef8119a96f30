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
  const aborted = signals.find((signal) => signal.aborted)
  if (aborted !== undefined) abort(aborted.reason)
  return { signal: controller.signal, clear }
}
