import type { TraceSpan } from '../../traces/trace.ts'
import type { Evidence } from '../evidence/evidence.ts'
import { missingSpans, sharesIdentity, sleptAfter, withoutPeersSince } from './absence.ts'
import { longestRetryMs, retryPolicy } from './retry-policy.ts'
import type { SeedHistory, SeedLine } from './seed-history.ts'

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
/** The same if a census has the attempt that is due. */
const statedSlackMs = 15_000

/**
 * Whether a node stopped dialling a seed that it needs. Reached seeds need no attempt until the node is alone. A node
 * with a second process of its identity dials rarely, and is not judged.
 */
export function overdueOf(
  history: SeedHistory,
  evidence: Pick<Evidence, 'complete' | 'partial' | 'instances'>,
): Overdue | undefined {
  const { instance, line } = history
  if (line?.state === 'self' || sharesIdentity(evidence, instance)) return undefined
  const aloneMs = withoutPeersSince(instance)
  const due = dueAfter(history, aloneMs)
  if (due === undefined) return undefined
  const silentMs = instance.lastMs - due.sinceMs - sleptAfter(instance, due.sinceMs)
  if (isScheduled(history)) return undefined
  const isDue = isDueInTwo(history)
  const isStated = isDue || isOverdueIn(line, due, aloneMs)
  if (!isDue && silentMs <= due.allowedMs + (isStated ? statedSlackMs : slackMs)) return undefined
  const missing = isStated ? undefined : missingSpans(evidence, instance)
  return { ...due, silentMs, missing }
}

type Due = Pick<Overdue, 'sinceMs' | 'allowedMs'>

/** The event after which an attempt has to follow; undefined if none has to. */
function dueAfter(history: SeedHistory, aloneMs: number | undefined): Due | undefined {
  const { reachedMs, lastReachedMs, failures } = history
  const heardMs = heardAt(history)
  if (reachedMs !== undefined && (heardMs === undefined || heardMs <= reachedMs)) {
    const isLost = aloneMs !== undefined && aloneMs > Math.max(heardMs ?? aloneMs, lastReachedMs ?? aloneMs - 1)
    return isLost ? { sinceMs: aloneMs, allowedMs: longestRetryMs } : undefined
  }
  if (heardMs === undefined) return undefined
  const last = failures.at(-1)
  const hasGivenUp = last?.span.name === 'mesh.seed.giveup' && last.endMs >= heardMs
  const isAlone = aloneMs !== undefined && aloneMs <= heardMs + retryPolicy.aloneMs
  const allowedMs = hasGivenUp && !isAlone ? retryPolicy.periodicMs + retryPolicy.attemptMs : longestRetryMs
  return { sinceMs: heardMs, allowedMs }
}

/** When the node last began or ended an attempt, by its spans, and by its last census if spans are missing. */
function heardAt(history: SeedHistory): number | undefined {
  const { instance, failures, line } = history
  const times = [...beginsOf(history).map(({ startMs }) => startMs), ...failures.map(({ endMs }) => endMs)]
  if (line !== undefined && line.campaign === 1 && line.attempt === 1) times.push(instance.firstMs)
  else if (line !== undefined && line.state !== 'connected' && hasProgressed(history, line))
    times.push(sameSince(history, line))
  return times.length === 0 ? undefined : Math.max(...times)
}

/** What the node says when it begins a campaign: of its two spans one may be missing. */
function beginsOf({ instance, address, campaigns }: SeedHistory): readonly TraceSpan[] {
  const rearmed = instance.spans('mesh.seed.rearmed')
  return [...campaigns, ...rearmed.filter(({ attributes }) => attributes['mesh.seed.address'] === address)]
}

/** The first census in a row that has the same attempt of the same campaign: it was made by then. */
function sameSince({ instance, address }: SeedHistory, line: SeedLine): number {
  const times = ['campaign', 'attempt'].map((field) => {
    const points = instance.series(`mesh.audit.seeds ${address} ${field}`)?.points() ?? []
    const changed = points.findLastIndex(({ value }) => value !== points.at(-1)?.value)
    return points[changed + 1]?.atMs ?? line.atMs
  })
  return Math.max(...times)
}

/** Whether the census knows of attempts later than the spans do. One more is made at once. */
function hasProgressed(history: SeedHistory, line: SeedLine): boolean {
  const { campaigns, failures } = history
  const numbers = beginsOf(history).map(({ attributes }) => Number(attributes['mesh.seed.campaign'] ?? 1))
  const known = Math.max(1, ...numbers)
  const [begun, last] = [campaigns.at(-1), failures.at(-1)]
  const attempt = last === undefined || (begun !== undefined && begun.startMs > last.endMs) ? 0 : last.attempt
  return line.campaign > known || (line.campaign === known && line.attempt > attempt + 1)
}

/** The last census itself shows an attempt that should have been made, or none that will be. */
function isOverdueIn(line: SeedLine | undefined, { sinceMs, allowedMs }: Due, aloneMs: number | undefined): boolean {
  if (line === undefined || line.atMs < sinceMs + allowedMs) return false
  // It takes the seed for connected while it has no peer at all.
  if (line.state === 'connected') return aloneMs !== undefined && aloneMs <= line.atMs
  return line.nextMs === undefined || line.nextMs === 0
}

/** The last census has a later attempt, of which the spans may not have come yet. */
function isScheduled({ instance, line }: SeedHistory): boolean {
  if (line === undefined || line.state === 'dialling' || line.nextMs === undefined || line.nextMs === 0) return false
  return instance.lastMs < line.atMs + line.nextMs + retryPolicy.attemptMs + slackMs
}

/** Two censuses in a row have the same attempt as due: a node makes one within a second. */
function isDueInTwo({ instance, address, line }: SeedHistory): boolean {
  const isSame = ['campaign', 'attempt', 'next_ms'].every((field) => {
    const [before, last] = instance.series(`mesh.audit.seeds ${address} ${field}`)?.points().slice(-2) ?? []
    return last !== undefined && before?.value === last.value && last.atMs === line?.atMs
  })
  return isSame && line?.nextMs === 0
}
