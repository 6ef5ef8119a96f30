import type { CensusInput, LedgerLink } from './census.ts'

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
  readonly brokenInvariants: readonly BrokenInvariant[]
  /** libp2p and the ledger disagree on which connections are open. */
  readonly layersDiffer: boolean
}

/** Suspect spans per census; the broken invariant carries the true number. */
export const maxSuspects = 64
/** Milliseconds before a difference between layers counts: one learns of a connection after the other. Guess. */
export const graceMs = 10_000
/** Milliseconds after which a peer that neither sent a hello nor lacks the protocol is suspect. Guess: three dials. */
export const maxUnsettledMs = 30_000

/** Compares the connections of libp2p with the links of the ledger, and the size of each registry with its capacity. */
export function findingsOf(input: Pick<CensusInput, 'inventory' | 'links' | 'connections'>): Findings {
  const { links, connections } = input
  const ledgerIds = new Set(links.map((link) => link.connection))
  const openIds = new Set(connections.map((connection) => connection.id))
  const strays = connections.filter(({ id, ageMs }) => ageMs >= graceMs && !ledgerIds.has(id))
  const dangling = links.filter(({ connection, stateMs }) => stateMs >= graceMs && !openIds.has(connection))
  const suspects = [
    ...strays.map(({ id, peer, ageMs }): Suspect => ({ connection: id, peer, ageMs, reason: 'unowned' })),
    ...links.flatMap((link) => (openIds.has(link.connection) ? linkSuspects(link) : [])),
  ]
  const layersDiffer = strays.length > 0 || dangling.length > 0
  const brokenInvariants: BrokenInvariant[] = []
  if (layersDiffer) {
    brokenInvariants.push({ invariant: 'connections-in-ledger', expected: links.length, actual: connections.length })
  }
  const maxLinks = maxLinksPerPair(links)
  if (maxLinks > 1) brokenInvariants.push({ invariant: 'one-link-per-pair', expected: 1, actual: maxLinks })
  for (const { size, capacity } of input.inventory.registries) {
    if (size > capacity) brokenInvariants.push({ invariant: 'registry-bound', expected: capacity, actual: size })
  }
  suspects.sort((a, b) => b.ageMs - a.ageMs)
  return { suspects: suspects.slice(0, maxSuspects), brokenInvariants, layersDiffer }
}

function linkSuspects({ connection, peer, state, ageMs, stateMs }: LedgerLink): Suspect[] {
  if (state === 'superseded' && stateMs >= graceMs) return [{ connection, peer, ageMs, reason: 'superseded-open' }]
  if (state === 'unsettled' && ageMs >= maxUnsettledMs) return [{ connection, peer, ageMs, reason: 'unsettled-old' }]
  return []
}

/** The most links to one peer, counting those old enough for both ends to know all of them. */
function maxLinksPerPair(links: readonly LedgerLink[]): number {
  const activeLinks = links.filter(
    ({ state, ageMs, shared }) => (state === 'joined' || state === 'guest') && ageMs >= graceMs && shared !== true,
  )
  const perPeer = Map.groupBy(activeLinks, (link) => link.peer)
  return Math.max(0, ...[...perPeer.values()].map((group) => group.length))
}
