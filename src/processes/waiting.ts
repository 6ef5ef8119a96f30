import { setTimeout as sleep } from 'node:timers/promises'

/** Milliseconds between two polls. */
const pollMs = 50

/**
 * Polls until `holds` is true, and returns how many milliseconds that took. A poll that throws counts as false: a
 * process that is starting refuses connections. Throws after `limitMs`, with `what` in its message, and the signal's
 * reason on abort.
 */
export async function until(
  holds: () => boolean | Promise<boolean>,
  limitMs: number,
  what: string,
  signal?: AbortSignal,
): Promise<number> {
  const startedAt = performance.now()
  let last: unknown
  for (;;) {
    signal?.throwIfAborted()
    try {
      last = undefined
      if (await holds()) return performance.now() - startedAt
    } catch (error) {
      last = error
    }
    if (performance.now() - startedAt > limitMs) {
      throw new Error(`${what}: not within ${limitMs} ms`, last === undefined ? undefined : { cause: last })
    }
    await sleep(pollMs)
  }
}
