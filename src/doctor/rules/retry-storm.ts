import type { Evidence } from '../evidence/evidence.ts'
import { witnessOf } from '../evidence/instance.ts'
import { severalSeeds } from '../explanation.ts'
import type { Finding } from '../finding.ts'
import { type FailingSeed, failingSeeds, stagesOf } from '../judgement/failing-seeds.ts'
import { partOf } from '../judgement/growth.ts'
import { leastDelayMs } from '../judgement/retry-policy.ts'
import { type SeedFailure, type SeedHistory, seedHistories } from '../judgement/seed-history.ts'
import type { Rule } from '../rule.ts'

/** Longer than a seed takes to restart; the alert about failed dials in every minute waits for two. */
const stormMs = 90_000
/** Longest pause within an outage, of which a minute of spans may be missing: campaigns are five minutes apart. */
const longestPauseMs = 150_000
const leastNodes = 3
/** Delays that are too short, or campaigns within a minute: one may be a step of the clock. */
const leastHasty = 3
/** Part of the shortest delay: timers are exact, clocks less so. */
const hastyShare = 0.7
const leastCampaigns = 10

/** At least three nodes, and half of all that run, dial seeds in vain at once; or one node dials faster than it may. */
export const retryStorm: Rule = {
  name: 'retry-storm',
  find: (evidence) => {
    const outages = Map.groupBy(failingSeeds(evidence).flatMap(outagesOf), ({ mesh }) => mesh)
    return [
      ...[...outages.values()].flatMap((all) => commonFinding(all, evidence) ?? []),
      ...evidence.instances.flatMap(seedHistories).flatMap((history) => hastyFinding(history) ?? []),
    ]
  },
}

/** A time in which a node failed again and again to reach a seed. */
interface Outage {
  readonly mesh: string
  readonly node: string
  readonly seed: FailingSeed
  readonly fromMs: number
  readonly toMs: number
}

function outagesOf(seed: FailingSeed): Outage[] {
  const { instance, unresolved } = seed.history
  const outages: { fromMs: number; toMs: number }[] = []
  for (const { campaignMs, endMs } of unresolved) {
    const last = outages.at(-1)
    if (last === undefined || campaignMs - last.toMs > longestPauseMs)
      outages.push({ fromMs: Math.max(campaignMs, seed.firstMs), toMs: endMs })
    else last.toMs = endMs
  }
  const present = outages.at(-1)
  if (present !== undefined && !seed.hasGivenUp) present.toMs = seed.lastMs
  return outages
    .filter(({ fromMs, toMs }) => toMs - fromMs >= stormMs)
    .map((times) => ({ mesh: instance.mesh, node: instance.node, seed, ...times }))
}

function commonFinding(outages: readonly Outage[], { instances }: Evidence): Finding | undefined {
  for (const { fromMs, mesh } of outages.toSorted((a, b) => a.fromMs - b.fromMs)) {
    const untilMs = fromMs + stormMs
    const together = outages.filter((one) => one.fromMs <= fromMs && one.toMs >= untilMs)
    const nodes = [...new Set(together.map(({ node }) => node))].sort()
    const running = instances.filter((one) => one.mesh === mesh && one.firstMs <= fromMs && one.lastMs >= untilMs)
    if (nodes.length < Math.max(leastNodes, 0.5 * running.length)) continue
    const seeds = [...new Set(together.map(({ seed }) => seed))]
    const addresses = [...new Set(seeds.map(({ history }) => history.address))]
    return {
      disease: 'retry-storm',
      owner: { mesh, node: '', instance: '', part: addresses.length === 1 ? `seed ${addresses[0]}` : severalSeeds },
      certainty: 'certain',
      sinceMs: fromMs,
      summary: `${nodes.length} of ${running.length} running nodes retried ${addresses.length === 1 ? addresses[0] : `${addresses.length} seeds`} at once: ${stagesOf(seeds)}`,
      proof: seeds
        .flatMap(({ history }) => history.unresolved.slice(0, 1))
        .slice(0, 8)
        .map(({ span }) => witnessOf(span)),
      alsoAt: nodes,
    }
  }
  return undefined
}

function hastyFinding({ instance, address, failures, campaigns }: SeedHistory): Finding | undefined {
  const hasty = failures.filter((failure, index) => isHasty(failure, failures[index + 1]))
  const count = hasty.reduce((sum, failure) => sum + attemptsUntil(failure, failures[failures.indexOf(failure) + 1]), 0)
  const crowded = campaigns.filter(({ startMs }, index) => {
    const tenth = campaigns[index + leastCampaigns - 1]
    return tenth !== undefined && tenth.startMs - startMs <= 60_000
  })
  if (count < leastHasty && crowded.length === 0) return undefined
  const spans = count >= leastHasty ? hasty.map(({ span }) => span) : crowded
  return {
    disease: 'retry-storm',
    owner: partOf(instance, `seed ${address}`),
    certainty: 'certain',
    sinceMs: spans[0]?.startMs,
    lastMs: spans.at(-1)?.startMs,
    summary:
      count >= leastHasty
        ? `${count} attempts followed a failure sooner than the shortest delay allows`
        : `${leastCampaigns} campaigns and more began within a minute`,
    proof: spans.slice(0, 8).map(witnessOf),
  }
}

/** Whether a later attempt of the same campaign came sooner than after half of the steps; those between may be missing. */
function isHasty(failure: SeedFailure, next: SeedFailure | undefined): boolean {
  const count = attemptsUntil(failure, next)
  if (next === undefined || count < 1) return false
  const delays = Array.from({ length: count }, (_, index) => leastDelayMs(failure.attempt + index))
  const pauseMs = next.startMs - failure.endMs
  return pauseMs >= 0 && pauseMs < hastyShare * delays.reduce((sum, ms) => sum + ms, 0)
}

/** Attempts from one to another of the same campaign; 0 for another campaign. */
function attemptsUntil({ span, attempt }: SeedFailure, next: SeedFailure | undefined): number {
  return next?.span.parentSpanId === span.parentSpanId ? Math.max(0, next.attempt - attempt) : 0
}
