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
  readonly seen: readonly Sighting[]
  readonly conflict: Conflict | undefined
}

/** Two processes that ran with one identity at the same time. */
export interface Conflict {
  readonly instances: readonly [string, string]
  readonly emittedAt: number
}

export interface Heard {
  readonly instance: string
  readonly address: string
  readonly via: Via
  /** Since it was sent, by the clocks of both. Anybody can send a signed digest again, minutes or days later. */
  readonly ageMs?: number
}

export const noSightings: Sightings = { seen: [], conflict: undefined }

/** Processes that are remembered for one identity; a conflict is between two of them. */
const seenMax = 4
/**
 * What is heard may have been under way for so long: little on a link, even when this node itself had slept and reads
 * all of it at once; over gossip a digest may wait for a neighbour that is slow. Guess.
 */
const underWayMs: Readonly<Record<Via, number>> = { link: 5_000, gossip: 30_000 }
/** A process counts as running for so long after it was heard: three of the longest waits between two dials. */
export const runningMs = 90_000
const emitAgainMs = 60_000

/**
 * Records that a process was heard. An instance is drawn at random by each process, so a restart never brings an earlier
 * one back: two of them are in conflict when the times over which they are known to have run overlap. What was sent long
 * ago proves nothing about now.
 */
export function sighted(before: Sightings, { instance, address, via, ageMs = 0 }: Heard, now: number): Sightings {
  if (ageMs >= runningMs) return before
  const running = before.seen.filter(({ at }) => now - at < runningMs)
  const known = running.find((one) => one.instance === instance)
  const aliveUntil = Math.max(known?.aliveUntil ?? Number.NEGATIVE_INFINITY, sentBefore(via, ageMs, now))
  const at = Math.max(known?.at ?? Number.NEGATIVE_INFINITY, now - ageMs)
  const current = { instance, address, firstAt: known?.firstAt ?? now, at, aliveUntil }
  const others = running.filter((one) => one !== known)
  const seen = [current, ...others].toSorted((a, b) => b.at - a.at).slice(0, seenMax)
  const standing = keep(before.conflict, seen)
  if (standing !== undefined) return { seen, conflict: standing }
  const other = seen.find((one) => one !== current && overlapEnd(one, current) !== undefined)
  if (other === undefined) return { seen, conflict: undefined }
  const [earlier, later] = other.firstAt < current.firstAt ? [other, current] : [current, other]
  const instances = [earlier.instance, later.instance] as const
  return { seen, conflict: { instances, emittedAt: Number.NEGATIVE_INFINITY } }
}

/** The earliest moment at which something may have been sent that was received now. */
export function sentBefore(via: Via, ageMs: number, now: number): number {
  return now - Math.max(underWayMs[via], ageMs)
}

/** A process said that it stops: it does not run any more. */
export function stopped({ seen, conflict }: Sightings, instance: string): Sightings {
  const rest = seen.filter((one) => one.instance !== instance)
  return { seen: rest, conflict: keep(conflict, rest) }
}

/** The same, marked as emitted, when the conflict's span is due: at first, then once a minute while it goes on. */
export function emitDue(sightings: Sightings, now: number): Sightings | undefined {
  const { conflict, seen } = sightings
  const [earlier, later] = pair(conflict, seen)
  if (conflict === undefined || earlier === undefined || later === undefined) return undefined
  const goesOn = (overlapEnd(earlier, later) ?? Number.NEGATIVE_INFINITY) > conflict.emittedAt
  if (!goesOn || now - conflict.emittedAt < emitAgainMs) return undefined
  return { seen, conflict: { ...conflict, emittedAt: now } }
}

/** Whether these two processes of one identity are known to run at the same time. */
export function areRivals({ conflict }: Sightings, a: string, b: string): boolean {
  return a !== b && conflict?.instances.includes(a) === true && conflict.instances.includes(b)
}

/** Whether the other process of a conflict runs, as far as is known. */
export function rivalRuns({ conflict, seen }: Sightings, instance: string, now: number): boolean {
  if (conflict?.instances.includes(instance) !== true) return false
  return pair(conflict, seen).some((one) => one !== undefined && one.instance !== instance && now - one.at < runningMs)
}

/** The conflict in the form in which others are told of it, the earlier process first. */
export function conflictOf(peer: string, { conflict, seen }: Sightings, now: number): IdentityConflict | undefined {
  const both = pair(conflict, seen).filter((one) => one !== undefined && now - one.at < runningMs) as Sighting[]
  if (both.length < 2) return undefined
  return { peer, instances: both.map(({ instance }) => instance), addresses: both.map(({ address }) => address) }
}

/** The last moment at which both are known to have run; undefined when there is none. */
function overlapEnd(a: Sighting, b: Sighting): number | undefined {
  const end = Math.min(a.aliveUntil, b.aliveUntil)
  return end >= Math.max(a.firstAt, b.firstAt) ? end : undefined
}

function pair(conflict: Conflict | undefined, seen: readonly Sighting[]): (Sighting | undefined)[] {
  return (conflict?.instances ?? []).map((instance) => seen.find((one) => one.instance === instance))
}

function keep(conflict: Conflict | undefined, seen: readonly Sighting[]): Conflict | undefined {
  return pair(conflict, seen).includes(undefined) ? undefined : conflict
}
