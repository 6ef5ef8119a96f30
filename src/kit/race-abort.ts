/**
 * Settles as `work` does, or rejects with the reason of the signal when it aborts first; `work` itself goes on. Takes as
 * many microtasks without a signal as with one: several callers that wait for the same `work` keep their order.
 */
export function raceAbort<T>(signal: AbortSignal | undefined, work: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  const abort = () => reject(signal?.reason)
  if (signal?.aborted === true) abort()
  else signal?.addEventListener('abort', abort, { once: true })
  return Promise.race([promise, work]).finally(() => signal?.removeEventListener('abort', abort))
}
