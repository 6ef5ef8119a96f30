import type { Clock } from '../core/machine.ts'

/** Wraps a clock to measure event-loop delay: each timer reports how late it fired, so no extra wake-up is needed. */
export function measuredClock(clock: Clock, onDelay: (ms: number) => void): Clock {
  return {
    now: () => clock.now(),
    wall: () => clock.wall(),
    after: (ms, run) => {
      const due = clock.now() + ms
      return clock.after(ms, () => {
        onDelay(Math.max(0, clock.now() - due))
        run()
      })
    },
  }
}
