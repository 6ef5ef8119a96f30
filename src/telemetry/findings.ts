import type { CensusInput, LedgerLink } from './census-input.ts'

export interface Suspect {
  readonly connection: string
  readonly peer: string
  readonly reason: 'unowned' | 'superseded-open' | 'unsettled-old'
  readonly ageMs: number
}

export interface BrokenInvariant {
  readonly invariant: 'connections-in-ledger' | 'one-link-per-pair' | 'registry-bound'
  readonly expected: number
  readonly actual: number
}

export interface Findings {
  /** The oldest first, at most `suspectsMax`. */
  readonly suspects: readonly Suspect[]
  readonly broken: readonly BrokenInvariant[]
  /** The layers do not agree on which connections there are. */
  readonly differs: boolean
}

/** Suspects told per census; the invariant beside them carries the true number. */
export const suspectsMax = 64
/** Milliseconds before a difference between layers counts: they learn of a connection one after the other. Guess. */
export const settleMs = 10_000
/** A peer that has said neither hello nor that it cannot is suspect after this long. Guess: three times a dial. */
export const unsettledMs = 30_000

/** Compares what libp2p holds with what the ledger holds, and what registries hold with their bounds. */
export function findingsOf(input: Pick<CensusInput, 'inventory' | 'links' | 'connections'>): Findings {
  const { links, connections } = input
  const owned = new Set(links.map((link) => link.connection))
  const open = new Set(connections.map((connection) => connection.id))
  const unowned = connections.filter(({ id, ageMs }) => ageMs >= settleMs && !owned.has(id))
  const ghosts = links.filter(({ connection, stateMs }) => stateMs >= settleMs && !open.has(connection))
  const suspects = [
    ...unowned.map(({ id, peer, ageMs }): Suspect => ({ connection: id, peer, ageMs, reason: 'unowned' })),
    ...links.flatMap((link) => (open.has(link.connection) ? suspectLink(link) : [])),
  ]
  const differs = unowned.length > 0 || ghosts.length > 0
  const broken: BrokenInvariant[] = []
  if (differs) {
    broken.push({ invariant: 'connections-in-ledger', expected: links.length, actual: connections.length })
  }
  const most = mostPerPair(links)
  if (most > 1) broken.push({ invariant: 'one-link-per-pair', expected: 1, actual: most })
  for (const { size, capacity } of input.inventory.registries) {
    if (size > capacity) broken.push({ invariant: 'registry-bound', expected: capacity, actual: size })
  }
  return { suspects: suspects.sort((a, b) => b.ageMs - a.ageMs).slice(0, suspectsMax), broken, differs }
}

function suspectLink({ connection, peer, state, ageMs, stateMs }: LedgerLink): Suspect[] {
  if (state === 'superseded' && stateMs >= settleMs) return [{ connection, peer, ageMs, reason: 'superseded-open' }]
  if (state === 'unsettled' && ageMs >= unsettledMs) return [{ connection, peer, ageMs, reason: 'unsettled-old' }]
  return []
}

/** Links of one pair that have all had the time to find out about each other. */
function mostPerPair(links: readonly LedgerLink[]): number {
  const standing = links.filter(
    ({ state, ageMs, shared }) => (state === 'joined' || state === 'guest') && ageMs >= settleMs && shared !== true,
  )
  const perPeer = Map.groupBy(standing, (link) => link.peer)
  return Math.max(0, ...[...perPeer.values()].map((group) => group.length))
}
