import type { Random } from './machine.ts'

/** When a seed is dialled again. All times in milliseconds, none zero or infinite. */
export interface BackoffPolicy {
  /** Upper end of the wait after attempt n; the last one holds for all later attempts. */
  readonly stepsMs: readonly number[]
  /** Attempts of one campaign. */
  readonly attempts: number
  /** One attempt ends within this. */
  readonly limitMs: number
  /** An attempt whose end was never reported counts as failed this much later. */
  readonly graceMs: number
  /** From one attempt to the next while the node has no peer at all. */
  readonly aloneMs: number
  /** From a give-up to the next campaign while the node has other peers. */
  readonly periodicMs: number
  /** A seed that is lost sooner than this after it answered has hung up on us. */
  readonly steadyMs: number
}

export const backoffPolicy: BackoffPolicy = {
  stepsMs: [1_000, 2_000, 4_000, 8_000, 16_000, 30_000],
  attempts: 10,
  limitMs: 10_000,
  graceMs: 2_000,
  aloneMs: 30_000,
  periodicMs: 300_000,
  steadyMs: 30_000,
}

/**
 * Milliseconds to wait after attempt `n` (from 1), between half of the step and all of it: `draw` in [0, 1) says where.
 *
 * `draw` stays the same for every wait of a node until the seed answers. Drawing afresh for each wait looks more random
 * and spreads worse: a sum of independent draws piles up in its middle, so a thousand nodes that lost one seed together
 * would meet again there, at up to four times their mean rate. With one draw the moment of attempt k is a straight line in
 * that draw, so it is uniform over all of the time in which attempt k can fall.
 */
export function waitMs(policy: BackoffPolicy, attempt: number, jitter: number): number {
  return (stepMs(policy, attempt) / 2) * (1 + jitter)
}

function stepMs(policy: BackoffPolicy, attempt: number): number {
  const { stepsMs } = policy
  return stepsMs[Math.min(attempt, stepsMs.length) - 1] ?? policy.limitMs
}

/**
 * This node's place in [0, 1) among all that it knows, by peer id: `known` others, with or without itself.
 *
 * For waits of nodes that lost the same seed at the same moment. By chance alone a thousand nodes over 76 s now and then
 * put twice their mean into one second; by place they never do. A node that knows nobody gets a plain draw.
 */
export function rankAmong(self: string, peers: readonly string[], random: Random): number {
  const others = peers.filter((peer) => peer !== self)
  const lowerCount = others.filter((peer) => peer < self).length
  return (lowerCount + random()) / (others.length + 1)
}
