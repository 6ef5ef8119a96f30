import type { Clock } from '../core/machine.ts'

/** The process's own time. Timers keep it alive only as long as their owner does, so none is unreferenced. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  after: (ms, run) => {
    const timer = setTimeout(run, ms)
    return () => clearTimeout(timer)
  },
}
