import { MeshError } from '../core/errors.ts'
import type { Clock } from '../core/machine.ts'

/** Poll interval in milliseconds: a drill measures with a resolution of one second. */
export const pollMs = 1_000

/** Sleeps for `ms`. Rejects with the signal's reason on abort. */
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

/** Polls each second until `holds` is true. Throws MESH_STEP_TIMEOUT after `limitMs`, or the signal's reason. */
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

/** Resolves with the first success; when all fail, rejects with the first error of the list. */
export async function firstFulfilled(all: readonly Promise<void>[]): Promise<void> {
  try {
    await Promise.any(all)
  } catch (error) {
    throw error instanceof AggregateError ? error.errors[0] : error
  }
}
