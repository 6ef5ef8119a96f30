import type { Random } from './machine.ts'
import type { Seed } from './seed-dialler.ts'

/** The schedule of dials. All times are in milliseconds. */
export const backoffPolicy = {
  /** Longest delay after attempt n; the last value applies to all later attempts. */
  stepsMs: [1_000, 2_000, 4_000, 8_000, 16_000, 30_000],
  /** Attempts per campaign. */
  attempts: 10,
  attemptTimeoutMs: 10_000,
  /** Time after the timeout at which an attempt without a reported result counts as failed. */
  resultGraceMs: 2_000,
  /** Interval between attempts of a node without peers, after a give-up. */
  aloneMs: 30_000,
  /** Time from a give-up to the next campaign while the node has other peers. */
  periodicMs: 300_000,
  /** A connection that closes sooner than this after the answer counts as a hangup. */
  steadyMs: 30_000,
} as const

/**
 * Milliseconds from attempt `attempt` (from 1) to the next one: between half of the step and the whole step, at the
 * position that `jitter` in [0, 1) selects.
 *
 * A node keeps the same jitter for all of its delays until the next loss. Fresh jitter for each delay looks more
 * random but spreads worse: a sum of independent samples concentrates around its mean, so a thousand nodes that lost
 * one seed together would dial at up to four times the rate of an even spread. With one sample the time of attempt k
 * is linear in that sample, so it is uniform over the whole interval in which attempt k can happen.
 */
export function delayMs(attempt: number, jitter: number): number {
  const { stepsMs } = backoffPolicy
  const stepMs = stepsMs[attempt - 1] ?? Math.max(...stepsMs)
  return (stepMs / 2) * (1 + jitter)
}

/** When the next attempt of a campaign follows a failed one. In an `alone` campaign attempts start 30 s apart. */
export function nextAttemptAt({ cause, attempt, attemptAt, jitter }: Seed, now: number): number {
  return cause === 'alone' ? Math.max(now, attemptAt + backoffPolicy.aloneMs) : now + delayMs(attempt, jitter)
}

/** When the node dials a seed that rests: one that it gave up, that is the node itself, or that is linked elsewhere. */
export function restUntil({ cause, attemptAt, endedAt }: Seed, isAlone: boolean, now: number): number {
  const { aloneMs, periodicMs } = backoffPolicy
  return isAlone ? Math.max(now, (cause === 'alone' ? attemptAt : endedAt) + aloneMs) : endedAt + periodicMs
}

/**
 * When the node dials a seed that it lost. Each hangup soon after an answer (a full seed, or one in another mesh)
 * lengthens the delay, which otherwise would mean one dial a second without end.
 */
export function redialAt({ hangups, jitter }: Seed, now: number): number {
  return now + delayMs(hangups, jitter)
}

/**
 * This node's position in [0, 1) by peer id among `peers`, which may or may not include the node itself.
 *
 * As jitter it spreads the delays of nodes that lost the same seed at the same moment. With random jitter a thousand
 * nodes over 76 s (the time in which attempt ten can happen) sometimes put twice the mean rate into one second; ranked
 * nodes never do. Without peers it is a random sample.
 */
export function rankAmong(self: string, peers: readonly string[], random: Random): number {
  let [count, lowerCount] = [0, 0]
  for (const peer of peers) {
    if (peer !== self) count++
    if (peer < self) lowerCount++
  }
  return (lowerCount + random()) / (count + 1)
}
