import type { Clock } from '../core/machine.ts'

/** The process's clock. Owners cancel their timers, so none needs `unref`. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  after: (ms, run) => {
    const timer = setTimeout(run, ms)
    return () => clearTimeout(timer)
  },
}
