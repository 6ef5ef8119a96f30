import type { NodeState } from '../mesh-view.ts'

/** What a page knows of a node whose expiry is looked for. `gone`: the mesh that is shown has no such node any more. */
export type Fate = NodeState | 'gone'

export interface ExpirySearch {
  readonly fate: Fate
  /** Whether somebody still counts it as a member. */
  readonly isMember: boolean
  /** Milliseconds since the page began to look. */
  readonly searchAgeMs: number
  /** Milliseconds since the newest expiry that was found; undefined when none was. */
  readonly expiryAgeMs: number | undefined
}

/** Whoever waits for an expiry sees it come; a node that lives is looked at now and then. */
const fastPollMs = 2_000
const slowPollMs = 15_000
/** All survivors expire a node within a sweep of each other, and what they tell needs some seconds to be found. */
const collectMs = 15_000
/** A window, a sweep and the way into the store, thrice over: after that nobody will expire it. Guess. */
const maxSearchMs = 120_000

/** Milliseconds until it is worth asking again who expired a node; undefined when nothing more will come. */
export function nextPollMs({ fate, isMember, searchAgeMs, expiryAgeMs }: ExpirySearch): number | undefined {
  if (fate === 'running' || fate === 'starting') return slowPollMs
  if (fate === 'stopped' || fate === 'waiting') return undefined
  if (isMember) return fastPollMs
  const isComplete = expiryAgeMs !== undefined && expiryAgeMs > collectMs
  return isComplete || searchAgeMs > maxSearchMs ? undefined : fastPollMs
}

/** What is said while nobody is known to have expired it. */
export function noExpiryText(fate: Fate, isPolling: boolean): string {
  if (fate === 'waiting') return 'It has not been started yet.'
  if (fate === 'stopped') return 'Nobody: it said goodbye, so its silence surprised no one.'
  if (fate === 'running' || fate === 'starting') return 'Nobody, in the last hour.'
  if (isPolling) return 'Nobody has expired it yet: its silence is still within the window.'
  return 'Nobody has told so in the last hour: it said goodbye, or it went before that.'
}
