import { setTimeout as sleep } from 'node:timers/promises'

/** Between two looks, in milliseconds. */
const lookEveryMs = 50

/**
 * Looks until `holds`, and returns how many milliseconds that took. A look that throws counts as "not yet": a process
 * that is starting refuses connections. Throws after `limitMs`, with `what` in its message.
 */
export async function until(holds: () => boolean | Promise<boolean>, limitMs: number, what: string): Promise<number> {
  const began = performance.now()
  let last: unknown
  for (;;) {
    try {
      last = undefined
      if (await holds()) return performance.now() - began
    } catch (error) {
      last = error
    }
    if (performance.now() - began > limitMs) {
      throw new Error(`${what}: not within ${limitMs} ms`, last === undefined ? undefined : { cause: last })
    }
    await sleep(lookEveryMs)
  }
}
