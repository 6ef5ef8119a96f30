import { emitSpan, type SpanEffect } from '../catalogue/span-effect.ts'
import type { Member } from './member.ts'
import {
  addSighting,
  conflictOf,
  isRivalRunning,
  markEmittedIfDue,
  removeProcess,
  type SightingReport,
} from './sightings.ts'

/** A process that speaks for this member was heard; emits the conflict when that is due. */
export function noteSighting(member: Member, report: SightingReport, now: number): SpanEffect[] {
  member.sightings = addSighting(member.sightings, report, now)
  const due = markEmittedIfDue(member.sightings, now)
  const conflict = due && conflictOf(member.digest.peer, due, now)
  if (due === undefined || conflict === undefined) return []
  member.sightings = due
  return [
    emitSpan('mesh.identity.conflict', {
      'mesh.peer.id': member.digest.peer,
      'mesh.peer.name': member.digest.name,
      'mesh.identity.instances': conflict.instances,
      'mesh.identity.addresses': conflict.addresses,
      'mesh.identity.own': false,
    }),
  ]
}

/**
 * One process of this member said that it stops. True when a second one runs: then the member stays, and whatever that
 * one says next is newer than what the first one has said.
 */
export function noteStop(member: Member, instance: string, now: number): boolean {
  const isContested = isRivalRunning(member.sightings, instance, now)
  member.sightings = removeProcess(member.sightings, instance)
  if (isContested) member.digest = { ...member.digest, incarnation: 0, sequence: 0 }
  return isContested
}
