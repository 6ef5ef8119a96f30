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
