/**
 * A rule of the mesh as a value: events in, effects out, no I/O.
 *
 * `now` is monotonic milliseconds from one clock per process; a machine never reads a clock itself. It holds no timer
 * either: `deadline()` says when it wants to be handed a `tick` (Infinity: never), and the shell polls.
 */
export interface Machine<Event, Effect> {
  handle(event: Event, now: number): Effect[]
  deadline(): number
}

/** Uniform in [0, 1). The simulator passes a seeded one, a node passes `Math.random`. */
export type Random = () => number

/** Time as a port: monotonic milliseconds, and timers that an owner can hold. */
export interface Clock {
  now(): number
  /** Wall clock in Unix milliseconds: for people and for spans, never for a rule. */
  wall(): number
  /** Calls `run` once after `ms`; the returned function cancels. */
  after(ms: number, run: () => void): () => void
}
