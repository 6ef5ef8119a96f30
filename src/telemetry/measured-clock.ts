import type { Clock } from '../core/machine.ts'

/** The same clock, whose timers say how late they fired: the event loop's delay, for no wake-up of its own. */
export function measuredClock(clock: Clock, late: (ms: number) => void): Clock {
  return {
    now: () => clock.now(),
    wall: () => clock.wall(),
    after: (ms, run) => {
      const due = clock.now() + ms
      return clock.after(ms, () => {
        late(Math.max(0, clock.now() - due))
        run()
      })
    },
  }
}
