import type { SpanEffect } from '../catalogue/span-effect.ts'
import type { Member } from './member.ts'
import {
  addSighting,
  conflictOf,
  isRivalRunning,
  markEmitted,
  removeProcess,
  repeatSighting,
  type SightingReport,
} from './sightings.ts'
import { emitIdentityConflict } from './spans/identity.ts'

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
