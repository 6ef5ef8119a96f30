import { missingSpans, sleptAfter, withoutPeersSince } from './absence.ts'
import type { Evidence } from './evidence/evidence.ts'
import { longestRetryMs, retryPolicy } from './retry-policy.ts'
import type { SeedHistory } from './seed-history.ts'

/** A seed that the node no longer dials although an attempt is due. */
export interface Overdue {
  /** When it last said anything about the seed. */
  readonly sinceMs: number
  /** Milliseconds until the end of the evidence of the process. */
  readonly silentMs: number
  /** Longest time between two attempts then. */
  readonly allowedMs: number
  /** What the evidence lacks to be sure. */
  readonly missing: string | undefined
}

/** What a busy machine may add to a delay. */
const slackMs = 48_000

/**
 * Whether a node stopped dialling a seed that it needs. Reached seeds need no attempt until the node is alone. A node that
 * knows a second process of its identity dials rarely, and is not judged.
 */
export function overdueOf(history: SeedHistory, evidence: Pick<Evidence, 'complete' | 'partial'>): Overdue | undefined {
  const { instance, campaigns, failures, line } = history
  if (line?.state === 'self' || instance.countOf('mesh.identity.conflict') > 0) return undefined
  const aloneMs = withoutPeersSince(instance)
  const heardMs = Math.max(
    Number.NEGATIVE_INFINITY,
    ...campaigns.map(({ startMs }) => startMs),
    ...failures.map(({ endMs }) => endMs),
  )
  const due = dueAfter(history, heardMs, aloneMs)
  if (due === undefined) return undefined
  const silentMs = instance.lastMs - due.sinceMs - sleptAfter(instance, due.sinceMs)
  if (silentMs <= due.allowedMs + slackMs) return undefined
  const missing = isOverdueIn(history, due, aloneMs) ? undefined : missingSpans(evidence, instance)
  return { ...due, silentMs, missing }
}

type Due = Pick<Overdue, 'sinceMs' | 'allowedMs'>

/** The event after which an attempt has to follow; undefined if none has to. */
function dueAfter(
  { reachedMs, lastReachedMs, failures }: SeedHistory,
  heardMs: number,
  aloneMs: number | undefined,
): Due | undefined {
  if (reachedMs !== undefined && heardMs <= reachedMs) {
    const isLost = aloneMs !== undefined && aloneMs > Math.max(heardMs, lastReachedMs ?? heardMs)
    return isLost ? { sinceMs: aloneMs, allowedMs: longestRetryMs } : undefined
  }
  if (heardMs === Number.NEGATIVE_INFINITY) return undefined
  const last = failures.at(-1)
  const hasGivenUp = last?.span.name === 'mesh.seed.giveup' && last.endMs >= heardMs
  const isAlone = aloneMs !== undefined && aloneMs <= heardMs + retryPolicy.aloneMs
  const allowedMs = hasGivenUp && !isAlone ? retryPolicy.periodicMs + retryPolicy.attemptMs : longestRetryMs
  return { sinceMs: heardMs, allowedMs }
}

/** The last census itself shows an attempt that should have been made, or none that will be. */
function isOverdueIn({ line }: SeedHistory, { sinceMs, allowedMs }: Due, aloneMs: number | undefined): boolean {
  if (line === undefined || line.atMs < sinceMs + allowedMs) return false
  // It takes the seed for connected while it has no link at all.
  if (line.state === 'connected') return aloneMs !== undefined && aloneMs <= line.atMs
  return line.nextMs === undefined || line.nextMs === 0
}
