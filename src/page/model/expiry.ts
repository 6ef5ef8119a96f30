import type { NodeState } from '../mesh-view.ts'

/** State of a node whose expiry the page searches for. `removed`: the view has no such node. */
export type Fate = NodeState | 'removed'

export interface ExpirySearch {
  readonly fate: Fate
  /** Whether a node still counts it as a member. */
  readonly isMember: boolean
  /** Milliseconds since the search began. */
  readonly searchAgeMs: number
  /** Milliseconds since the newest expiry; undefined before the first expiry. */
  readonly expiryAgeMs: number | undefined
}

/** Poll intervals: fast while an expiry is due, slow for a running node. */
const fastPollMs = 2_000
const slowPollMs = 15_000
/** All survivors expire a node within one sweep, and their spans take some seconds to reach the store. */
const collectMs = 15_000
/** Three times the staleness window, a sweep and the export: no expiry comes later. Guess. */
const maxSearchMs = 120_000

/** Milliseconds until the next search for expiries of a node; undefined when no more can come. */
export function nextPollMs({ fate, isMember, searchAgeMs, expiryAgeMs }: ExpirySearch): number | undefined {
  if (fate === 'running' || fate === 'starting') return slowPollMs
  if (fate === 'stopped' || fate === 'waiting') return undefined
  if (isMember) return fastPollMs
  const isComplete = expiryAgeMs !== undefined && expiryAgeMs > collectMs
  return isComplete || searchAgeMs > maxSearchMs ? undefined : fastPollMs
}

/** Text to show while no expiry of the node is known. */
export function noExpiryText(fate: Fate, isPolling: boolean): string {
  if (fate === 'waiting') return 'The node has not started yet.'
  if (fate === 'stopped') return 'No node: it said goodbye before it stopped.'
  if (fate === 'running' || fate === 'starting') return 'No node in the last hour.'
  if (isPolling) return 'No node yet: its silence is still within the staleness window.'
  return 'No expiry in the last hour: it said goodbye, or it left earlier.'
}
