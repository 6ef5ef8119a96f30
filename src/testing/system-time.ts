import type { Clock } from '../core/machine.ts'

/** The machine's clock, for tests that cannot run on a virtual clock. */
export const systemTime: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  after: (ms, run) => {
    const timer = setTimeout(run, ms)
    return () => clearTimeout(timer)
  },
}
