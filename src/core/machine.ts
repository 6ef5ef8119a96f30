/**
 * A state machine of the mesh: events in, effects out, no I/O.
 *
 * `now` is monotonic milliseconds from one clock per process; a machine never reads a clock. It has no timers either:
 * `deadline()` returns when it needs the next `tick` (Infinity: never), and the driver delivers it.
 */
export interface Machine<Event, Effect> {
  handle(event: Event, now: number): Effect[]
  deadline(): number
}

/** Both lists in order. Most events have no effects, so it seldom makes a new array. */
export function concat<Effect>(first: Effect[], second: Effect[]): Effect[] {
  if (first.length === 0) return second
  return second.length === 0 ? first : [...first, ...second]
}

/** Uniform in [0, 1). The simulator passes a seeded generator, a node passes `Math.random`. */
export type Random = () => number

/** The time port: monotonic milliseconds, and cancellable timers. */
export interface Clock {
  now(): number
  /** Wall clock in Unix milliseconds: for people and for spans, never for decisions. */
  wall(): number
  /** Calls `run` once after `ms`; the returned function cancels the timer. */
  after(ms: number, run: () => void): () => void
}
