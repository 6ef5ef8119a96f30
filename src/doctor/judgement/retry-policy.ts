/** The schedule of dials that a node follows, as a reader of traces needs it; a test compares it with that of the core. */
export const retryPolicy = {
  /** Longest delay after attempt n; a node waits at least half of it. */
  stepsMs: [1_000, 2_000, 4_000, 8_000, 16_000, 30_000],
  attempts: 10,
  /** Longest attempt, the grace for its result included. */
  attemptMs: 12_000,
  /** Interval between attempts of a node without peers, after a give-up. */
  aloneMs: 30_000,
  /** Time from a give-up to the next campaign while the node has peers. */
  periodicMs: 300_000,
} as const

/** Longest time between the results of two attempts of a campaign. */
export const longestRetryMs = Math.max(...retryPolicy.stepsMs) + retryPolicy.attemptMs

/** Shortest delay after a failed attempt, from 1. */
export function leastDelayMs(attempt: number): number {
  return (retryPolicy.stepsMs[attempt - 1] ?? Math.max(...retryPolicy.stepsMs)) / 2
}
