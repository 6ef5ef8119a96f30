import { closeReasons, refusalReasons } from '../catalogue/bands.ts'
import type { ConnectionLedger } from '../core/connection-ledger.ts'
import { isJoined, type Link } from '../core/link.ts'
import type { CensusPart } from './census.ts'
import { equal, type Invariant } from './invariants.ts'
import type { Suspect } from './suspects.ts'

/** A connection that libp2p has open, except those left to the application. */
export interface OpenConnection {
  readonly id: string
  readonly peer: string
  readonly ageMs: number
  readonly direction: 'inbound' | 'outbound'
  /** Remote multiaddr. */
  readonly address: string
  /** The ledger lists a limited number of relayed connections, and closes none. */
  readonly isRelayed: boolean
}

/** Milliseconds before a difference between layers counts: one learns of a connection after the other. Guess. */
export const graceMs = 10_000
/** Milliseconds after which a peer that neither sent a hello nor lacks the protocol is suspect. Guess: three dials. */
export const maxUnsettledMs = 30_000

type CountedLedger = Pick<ConnectionLedger, 'records' | 'refused' | 'counts'>

type LinkState = 'joined' | 'guest' | 'unsettled' | 'draining' | 'closing' | 'refused'

/** A link of the ledger, with its connection if libp2p has it open. */
interface LedgerEntry {
  readonly peer: string
  readonly link: Link
  readonly state: LinkState
  readonly ageMs: number
  /** Milliseconds since it should close; otherwise since it entered its state. */
  readonly stateMs: number
  readonly isOpen: boolean
}

/** Counts the ledger by state, and compares it with itself and with the open connections of libp2p. */
export function linkEvidence(ledger: CountedLedger, open: readonly OpenConnection[], now: number): CensusPart {
  const openIds = new Set(open.map(({ id }) => id))
  const entries = entriesOf(ledger, openIds, now)
  const listed = entries.filter(({ state }) => state !== 'refused')
  const { opened, closed, refused } = ledger.counts
  const inState = (state: LinkState) => entries.filter((entry) => entry.state === state).length
  const closedTotal = sumOf(closed)
  return {
    attributes: {
      'mesh.audit.links': inState('joined'),
      'mesh.audit.guests': inState('guest'),
      'mesh.audit.unsettled': inState('unsettled'),
      'mesh.audit.draining': inState('draining'),
      'mesh.audit.closing': inState('closing'),
      'mesh.audit.opened_total': opened,
      'mesh.audit.closed_total': closedTotal,
      'mesh.audit.refused_total': sumOf(refused),
      ...Object.fromEntries(
        closeReasons.flatMap((reason) => (closed[reason] ? [[`mesh.audit.closed.${reason}`, closed[reason]]] : [])),
      ),
      ...Object.fromEntries(
        refusalReasons.flatMap((reason) =>
          refused[reason] ? [[`mesh.audit.refused.${reason}`, refused[reason]]] : [],
        ),
      ),
      'mesh.audit.connections': open.length,
    },
    invariants: [
      equal({
        name: 'connections-conserved',
        owner: 'ledger',
        expected: opened - closedTotal,
        actual: listed.length,
      }),
      layersAgree(entries, open),
      ...onePerPair(entries),
    ],
    suspects: suspectsOf(entries, open),
  }
}

function entriesOf(ledger: CountedLedger, openIds: ReadonlySet<string>, now: number): LedgerEntry[] {
  const entryOf = (peer: string, link: Link, state: LinkState): LedgerEntry => ({
    peer,
    link,
    state,
    ageMs: now - link.openedAt,
    stateMs: now - (link.endedAt ?? link.enteredAt),
    isOpen: openIds.has(link.connection),
  })
  return [
    ...[...ledger.records()].flatMap(({ peer, links }) => links.map((link) => entryOf(peer, link, stateOf(link)))),
    ...[...ledger.refused()].map((link) => entryOf(link.info.peer, link, 'refused')),
  ]
}

function stateOf(link: Link): LinkState {
  if (link.state === 'closing' || link.state === 'draining') return link.state
  if (isJoined(link)) return 'joined'
  return link.state === 'settled' && link.kind === 'guest' ? 'guest' : 'unsettled'
}

function sumOf(counts: { readonly [reason: string]: number }): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0)
}

/** libp2p and the ledger list the same connections, but for the young ones. */
function layersAgree(entries: readonly LedgerEntry[], open: readonly OpenConnection[]): Invariant {
  const strays = straysOf(entries, open).map(({ id }) => id)
  const dangling = entries
    .filter(({ stateMs, isOpen }) => stateMs >= graceMs && !isOpen)
    .map(({ link }) => link.connection)
  return {
    name: 'connections-in-ledger',
    owner: 'libp2p',
    expected: entries.length,
    actual: open.length,
    isBroken: strays.length + dangling.length > 0,
    ids: [...strays, ...dangling],
  }
}

function straysOf(entries: readonly LedgerEntry[], open: readonly OpenConnection[]): readonly OpenConnection[] {
  const ids = new Set(entries.map(({ link }) => link.connection))
  return open.filter(({ id, ageMs, isRelayed }) => ageMs >= graceMs && !isRelayed && !ids.has(id))
}

/** A pair has one connection, whatever the state of the others, once both ends have had time to close those. */
function onePerPair(entries: readonly LedgerEntry[]): readonly Invariant[] {
  const settled = entries.filter(
    ({ link, state, isOpen, stateMs, ageMs }) =>
      isOpen && !isShared(link) && (state === 'joined' || state === 'guest' ? ageMs : stateMs) >= graceMs,
  )
  const pairs = Map.groupBy(settled, ({ peer }) => peer)
  const most = [...pairs].toSorted(([, a], [, b]) => b.length - a.length)[0]
  if (most === undefined) return []
  const [peer, links] = most
  const ids = links.length > 1 ? [peer, ...links.map(({ link }) => link.connection)] : []
  const pair = { name: 'one-link-per-pair', owner: 'ledger', expected: 1, actual: links.length, ids } as const
  return [{ ...pair, isBroken: links.length > 1 }]
}

/** The application’s own connection to a guest; it may have several to one peer. */
function isShared({ kind, info }: Link): boolean {
  return kind === 'guest' && (info.isLimited === true || info.isForeign === true)
}

function suspectsOf(entries: readonly LedgerEntry[], open: readonly OpenConnection[]): readonly Suspect[] {
  const strays = straysOf(entries, open).map(
    ({ id, peer, ageMs, direction, address }): Suspect => ({
      connection: id,
      peer,
      ageMs,
      direction,
      address,
      reason: 'unowned',
      openedSpan: undefined,
    }),
  )
  return [...strays, ...entries.flatMap((entry) => (entry.isOpen ? suspectOf(entry) : []))]
}

function suspectOf({ peer, link, state, ageMs, stateMs }: LedgerEntry): readonly Suspect[] {
  const { connection, info, address, openedSpan } = link
  const suspect = { connection, peer, ageMs, direction: info.direction, address, openedSpan }
  if (link.endedAt !== undefined && stateMs >= graceMs) return [{ ...suspect, reason: openReasonOf(link, state) }]
  if (state === 'unsettled' && ageMs >= maxUnsettledMs) return [{ ...suspect, reason: 'unsettled-old' }]
  return []
}

function openReasonOf({ ending }: Link, state: LinkState): Suspect['reason'] {
  if (state === 'refused') return 'refused-open'
  return state === 'draining' || ending?.reason === 'superseded' ? 'superseded-open' : 'closing-open'
}
