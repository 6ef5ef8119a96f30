import type { Random } from './machine.ts'

/** The schedule of a seed's dial attempts. All times are in milliseconds, none zero or infinite. */
export interface BackoffPolicy {
  /** Longest wait after attempt n; the last value applies to all later attempts. */
  readonly stepsMs: readonly number[]
  /** Attempts per campaign. */
  readonly attempts: number
  /** Timeout of one attempt. */
  readonly attemptTimeoutMs: number
  /** Time after the timeout at which an attempt without a reported result counts as failed. */
  readonly resultGraceMs: number
  /** Interval between attempts while the node has no peers. */
  readonly aloneMs: number
  /** Time from a give-up to the next campaign while the node has other peers. */
  readonly periodicMs: number
  /** A connection to a seed that closes sooner than this counts as a hangup. */
  readonly steadyMs: number
}

export const backoffPolicy: BackoffPolicy = {
  stepsMs: [1_000, 2_000, 4_000, 8_000, 16_000, 30_000],
  attempts: 10,
  attemptTimeoutMs: 10_000,
  resultGraceMs: 2_000,
  aloneMs: 30_000,
  periodicMs: 300_000,
  steadyMs: 30_000,
}

/**
 * Milliseconds to wait after attempt `attempt` (from 1): between half of the step and the whole step, at the position
 * that `jitter` in [0, 1) selects.
 *
 * A node keeps the same jitter for all of its waits until the seed answers. Fresh jitter for each wait looks more
 * random but spreads worse: a sum of independent samples concentrates around its mean, so a thousand nodes that lost
 * one seed together would dial at up to four times their mean rate. With one sample the time of attempt k is linear in
 * that sample, so it is uniform over the whole interval in which attempt k can happen.
 */
export function delayMs(policy: BackoffPolicy, attempt: number, jitter: number): number {
  return (stepMs(policy, attempt) / 2) * (1 + jitter)
}

function stepMs(policy: BackoffPolicy, attempt: number): number {
  const { stepsMs } = policy
  return stepsMs[Math.min(attempt, stepsMs.length) - 1] ?? policy.attemptTimeoutMs
}

/**
 * This node's position in [0, 1) by peer id among `peers`, which may or may not include the node itself.
 *
 * It spreads the waits of nodes that lost the same seed at the same moment. With random jitter alone a thousand nodes
 * over 76 s sometimes put twice the mean rate into one second; ranked nodes never do. Without peers it is a random
 * sample.
 */
export function rankAmong(self: string, peers: readonly string[], random: Random): number {
  const others = peers.filter((peer) => peer !== self)
  const lowerCount = others.filter((peer) => peer < self).length
  return (lowerCount + random()) / (others.length + 1)
}
