import type { IdentityConflict } from './frames.ts'
import type { Via } from './member.ts'

/** One process that speaks for a peer, as this node has heard it. Times are monotonic milliseconds. */
export interface Sighting {
  readonly instance: string
  readonly address: string
  readonly firstAt: number
  readonly at: number
  /** It ran from `firstAt` until then at least; earlier than `firstAt` while only one moment is known. */
  readonly aliveUntil: number
}

/** What is known of the processes behind one peer id. */
export interface Sightings {
  readonly processes: readonly Sighting[]
  readonly conflict: Conflict | undefined
}

/** Two processes that ran with one identity at the same time. */
export interface Conflict {
  readonly instances: readonly [string, string]
  readonly emittedAt: number
}

export interface SightingReport {
  readonly instance: string
  readonly address: string
  readonly via: Via
  /** Since it was sent, by the clocks of both. Anybody can send a signed digest again, minutes or days later. */
  readonly ageMs?: number
}

export const noSightings: Sightings = { processes: [], conflict: undefined }

/** Processes that are remembered for one identity; a conflict is between two of them. */
const maxProcesses = 4
/**
 * What is heard may have been under way for so long: little on a link, even when this node itself had slept and reads
 * all of it at once; over gossip a digest may wait for a neighbour that is slow. Guess.
 */
const maxTransitMs: Readonly<Record<Via, number>> = { link: 5_000, gossip: 30_000 }
/** A process counts as running for so long after it was heard: three of the longest waits between two dials. */
export const runningMs = 90_000
const spanIntervalMs = 60_000

/**
 * Records that a process was heard. An instance is drawn at random by each process, so a restart never brings an earlier
 * one back: two of them are in conflict when the times over which they are known to have run overlap. What was sent long
 * ago proves nothing about now.
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
  const processes = [current, ...others].toSorted((a, b) => b.at - a.at).slice(0, maxProcesses)
  const ongoing = retainConflict(before.conflict, processes)
  if (ongoing !== undefined) return { processes: processes, conflict: ongoing }
  const other = processes.find((one) => one !== current && overlapEnd(one, current) !== undefined)
  if (other === undefined) return { processes: processes, conflict: undefined }
  const [earlier, later] = other.firstAt < current.firstAt ? [other, current] : [current, other]
  const instances = [earlier.instance, later.instance] as const
  return { processes: processes, conflict: { instances, emittedAt: Number.NEGATIVE_INFINITY } }
}

/** The earliest moment at which something may have been sent that was received now. */
export function earliestSentAt(via: Via, ageMs: number, now: number): number {
  return now - Math.max(maxTransitMs[via], ageMs)
}

/** A process said that it stops: it does not run any more. */
export function removeProcess({ processes, conflict }: Sightings, instance: string): Sightings {
  const rest = processes.filter((one) => one.instance !== instance)
  return { processes: rest, conflict: retainConflict(conflict, rest) }
}

/** The same, marked as emitted, when the conflict's span is due: at first, then once a minute while it goes on. */
export function markEmittedIfDue(sightings: Sightings, now: number): Sightings | undefined {
  const { conflict, processes } = sightings
  const [earlier, later] = conflictingProcesses(conflict, processes)
  if (conflict === undefined || earlier === undefined || later === undefined) return undefined
  const isOngoing = (overlapEnd(earlier, later) ?? Number.NEGATIVE_INFINITY) > conflict.emittedAt
  if (!isOngoing || now - conflict.emittedAt < spanIntervalMs) return undefined
  return { processes: processes, conflict: { ...conflict, emittedAt: now } }
}

/** Whether these two processes of one identity are known to run at the same time. */
export function areRivals({ conflict }: Sightings, a: string, b: string): boolean {
  return a !== b && conflict?.instances.includes(a) === true && conflict.instances.includes(b)
}

/** Whether the other process of a conflict runs, as far as is known. */
export function isRivalRunning({ conflict, processes }: Sightings, instance: string, now: number): boolean {
  if (conflict?.instances.includes(instance) !== true) return false
  return conflictingProcesses(conflict, processes).some(
    (one) => one !== undefined && one.instance !== instance && now - one.at < runningMs,
  )
}

/** The conflict in the form in which others are told of it, the earlier process first. */
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

/** The last moment at which both are known to have run; undefined when there is none. */
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
