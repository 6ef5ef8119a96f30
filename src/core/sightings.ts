import type { SpanEffect } from '../catalogue/span-effect.ts'
import type { IdentityConflict } from './frames.ts'
import type { Member, Via } from './member.ts'
import { emitIdentityConflict } from './spans/member.ts'

/** One process with a peer's identity, as this node observed it. Times are monotonic milliseconds. */
export interface Sighting {
  readonly instance: string
  readonly address: string
  readonly firstAt: number
  at: number
  /** It ran from `firstAt` at least until then; earlier than `firstAt` if only one moment is known. */
  aliveUntil: number
}

/** The observed processes of one peer id. */
export interface Sightings {
  readonly processes: readonly Sighting[]
  readonly conflict: Conflict | undefined
}

/** Two processes that ran with one identity concurrently. */
export interface Conflict {
  readonly instances: readonly [string, string]
  readonly emittedAt: number
}

export interface SightingReport {
  readonly instance: string
  readonly address: string
  readonly via: Via
  /** Age by the clocks of both nodes. Any node can replay a signed digest, minutes or days later. */
  readonly ageMs?: number
}

export const noSightings: Sightings = { processes: [], conflict: undefined }

/** Retained processes per identity; a conflict is between two of them. */
const maxProcesses = 4
/**
 * Longest time in transit: short on a link, even if this node was suspended and reads everything at once; over gossip a
 * digest may wait for a slow neighbour. Guess.
 */
const maxTransitMs: Readonly<Record<Via, number>> = { link: 5_000, gossip: 30_000 }
/** A process counts as running for this long after its last sighting: three of the longest delays between two dials. */
export const runningMs = 90_000
const spanIntervalMs = 60_000

/**
 * Adds a sighting. Each process has a random instance, so a restart never brings an earlier one back: two processes are
 * in conflict if the intervals in which they are known to have run overlap. Old messages prove nothing about now.
 */
export function addSighting(
  before: Sightings,
  { instance, address, via, ageMs = 0 }: SightingReport,
  now: number,
): Sightings {
  if (ageMs >= runningMs) return before
  const running = before.processes.filter(({ at }) => now - at < runningMs)
  const previous = running.find((one) => one.instance === instance)
  const aliveUntil = Math.max(previous?.aliveUntil ?? Number.NEGATIVE_INFINITY, earliestSentAt(via, ageMs, now))
  const at = Math.max(previous?.at ?? Number.NEGATIVE_INFINITY, now - ageMs)
  const current = { instance, address, firstAt: previous?.firstAt ?? now, at, aliveUntil }
  const others = running.filter((one) => one !== previous)
  if (others.length === 0) return { processes: [current], conflict: undefined }
  const processes = [current, ...others].toSorted((a, b) => b.at - a.at).slice(0, maxProcesses)
  const ongoing = retainConflict(before.conflict, processes)
  if (ongoing !== undefined) return { processes, conflict: ongoing }
  const other = processes.find((one) => one !== current && overlapEnd(one, current) !== undefined)
  if (other === undefined) return { processes, conflict: undefined }
  const [earlier, later] = other.firstAt < current.firstAt ? [other, current] : [current, other]
  const instances = [earlier.instance, later.instance] as const
  return { processes, conflict: { instances, emittedAt: Number.NEGATIVE_INFINITY } }
}

/**
 * Updates the sighting in place if the report repeats the only process, as almost every frame does: a new object per
 * frame and peer would outlive a young generation. Returns whether it did.
 */
export function repeatSighting({ processes }: Sightings, report: SightingReport, now: number): boolean {
  const [process] = processes
  const { instance, address, via, ageMs = 0 } = report
  if (process === undefined || processes.length > 1 || ageMs >= runningMs || now - process.at >= runningMs) return false
  if (process.instance !== instance || process.address !== address) return false
  process.aliveUntil = Math.max(process.aliveUntil, earliestSentAt(via, ageMs, now))
  process.at = Math.max(process.at, now - ageMs)
  return true
}

/** The earliest possible send time of a message received now. */
export function earliestSentAt(via: Via, ageMs: number, now: number): number {
  return now - Math.max(maxTransitMs[via], ageMs)
}

/** Removes a process that announced its stop. */
export function removeProcess({ processes, conflict }: Sightings, instance: string): Sightings {
  const rest = processes.filter((one) => one.instance !== instance)
  return { processes: rest, conflict: retainConflict(conflict, rest) }
}

/** Marks the conflict as emitted if its span is due: at first, then once a minute while it lasts. */
export function markEmitted(sightings: Sightings, now: number): Sightings | undefined {
  const { conflict, processes } = sightings
  const [earlier, later] = conflictingProcesses(conflict, processes)
  if (conflict === undefined || earlier === undefined || later === undefined) return undefined
  const isOngoing = (overlapEnd(earlier, later) ?? Number.NEGATIVE_INFINITY) > conflict.emittedAt
  if (!isOngoing || now - conflict.emittedAt < spanIntervalMs) return undefined
  return { processes, conflict: { ...conflict, emittedAt: now } }
}

/** Whether these two processes of one identity are known to run concurrently. */
export function areRivals({ conflict }: Sightings, a: string, b: string): boolean {
  return a !== b && conflict?.instances.includes(a) === true && conflict.instances.includes(b)
}

/** Whether the other process of a conflict is known to run. */
export function isRivalRunning({ conflict, processes }: Sightings, instance: string, now: number): boolean {
  if (conflict?.instances.includes(instance) !== true) return false
  return conflictingProcesses(conflict, processes).some(
    (one) => one !== undefined && one.instance !== instance && now - one.at < runningMs,
  )
}

/** The conflict as announced in digests, the earlier process first. */
export function conflictOf(
  peer: string,
  { conflict, processes }: Sightings,
  now: number,
): IdentityConflict | undefined {
  const both = conflictingProcesses(conflict, processes).filter(
    (one) => one !== undefined && now - one.at < runningMs,
  ) as Sighting[]
  if (both.length < 2) return undefined
  return { peer, instances: both.map(({ instance }) => instance), addresses: both.map(({ address }) => address) }
}

/** The last moment at which both are known to have run, if any. */
function overlapEnd(a: Sighting, b: Sighting): number | undefined {
  const overlapEndAt = Math.min(a.aliveUntil, b.aliveUntil)
  return overlapEndAt >= Math.max(a.firstAt, b.firstAt) ? overlapEndAt : undefined
}

function conflictingProcesses(
  conflict: Conflict | undefined,
  processes: readonly Sighting[],
): (Sighting | undefined)[] {
  return (conflict?.instances ?? []).map((instance) => processes.find((one) => one.instance === instance))
}

function retainConflict(conflict: Conflict | undefined, processes: readonly Sighting[]): Conflict | undefined {
  return conflictingProcesses(conflict, processes).includes(undefined) ? undefined : conflict
}

/** Adds a sighting of a process with this member's identity, and emits a conflict that is due. */
export function noteSighting(member: Member, report: SightingReport, now: number): SpanEffect[] {
  if (repeatSighting(member.sightings, report, now)) return []
  member.sightings = addSighting(member.sightings, report, now)
  const due = markEmitted(member.sightings, now)
  const conflict = due && conflictOf(member.digest.peer, due, now)
  if (due === undefined || conflict === undefined) return []
  member.sightings = due
  return [emitIdentityConflict({ ...conflict, name: member.digest.name, isOwn: false })]
}

/**
 * One process of this member stops. Returns true if a second one runs: then the member stays, and the next digest of
 * the second process counts as newer than those of the first.
 */
export function noteStop(member: Member, instance: string, now: number): boolean {
  const isContested = isRivalRunning(member.sightings, instance, now)
  member.sightings = removeProcess(member.sightings, instance)
  if (isContested) member.digest = { ...member.digest, incarnation: 0, sequence: 0 }
  return isContested
}
