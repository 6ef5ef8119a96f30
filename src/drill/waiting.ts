import { MeshError } from '../core/errors.ts'
import type { Clock } from '../core/machine.ts'

/** Between two looks, in milliseconds: what a drill measures is right to a second. */
export const pollMs = 1_000

/** Rejects with the signal's reason when that aborts before. */
export function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  if (signal.aborted) {
    reject(signal.reason)
    return promise
  }
  const abort = () => {
    cancel()
    reject(signal.reason)
  }
  const cancel = clock.after(ms, () => {
    signal.removeEventListener('abort', abort)
    resolve()
  })
  signal.addEventListener('abort', abort, { once: true })
  return promise
}

/** Looks each second until it holds. Throws MESH_STEP_TIMEOUT after `limitMs`, and the signal's reason. */
export async function waitUntil(
  holds: () => boolean | Promise<boolean>,
  { step, limitMs, clock, signal }: { step: string; limitMs: number; clock: Clock; signal: AbortSignal },
): Promise<void> {
  const deadline = clock.now() + limitMs
  while (!(await holds())) {
    if (clock.now() >= deadline) throw new MeshError('MESH_STEP_TIMEOUT', { step, ms: limitMs })
    await pause(clock, Math.min(pollMs, limitMs), signal)
  }
}

/** As `work` settles, or rejects with the signal's reason; `work` itself is not ended by that. */
export function rejectOnAbort<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  const abort = () => reject(signal.reason)
  if (signal.aborted) abort()
  else signal.addEventListener('abort', abort, { once: true })
  return Promise.race([work, promise]).finally(() => signal.removeEventListener('abort', abort))
}

/** As the first that succeeds; when all have failed, as the first of them did. */
export async function firstFulfilled(all: readonly Promise<void>[]): Promise<void> {
  try {
    await Promise.any(all)
  } catch (error) {
    throw error instanceof AggregateError ? error.errors[0] : error
  }
}
