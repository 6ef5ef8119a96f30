import { percentile } from '../../bench/statistics.ts'
import type { ReceivedSpan } from '../../testing/otlp/otlp-receiver.ts'
import { numberOf, spansNamed } from '../evidence.ts'
import { atLeast, atMost, type Check, each, equals, type ProofResult } from '../proof.ts'

/** One connection as its peer saw it: Unix ms, and whether it was closed before the peer left it. */
export type Life = readonly [connectedAt: number, leftAt: number, closedEarly: boolean]

export interface Reconnects {
  readonly lives: readonly Life[]
  /** Of each check: milliseconds until messages had passed both ways. */
  readonly heardMs: readonly number[]
  readonly peer: string
  /** Of the node. */
  readonly spans: readonly ReceivedSpan[]
  /** Senders of the messages that the node received, by their life. */
  readonly heard: ReadonlyMap<number, string>
}

/** A connection as the node emitted it; Unix ms. */
interface Opened {
  readonly id: string
  readonly openedAt: number
  readonly closedAt: number
  readonly reason: string
}

const maxOverlapMs = 1_000
const maxExchangeMs = 15_000

export function reconnectChecks(outcome: Reconnects): Check[] {
  const { lives, heardMs, spans, peer } = outcome
  const connections = connectionsOf(outcome)
  const opened = spansNamed(spans, 'mesh.connection.opened').filter((span) => span.attributes['mesh.peer.id'] === peer)
  const closed = spansNamed(spans, 'mesh.connection.closed').filter((span) => span.attributes['mesh.peer.id'] === peer)
  const audits = spansNamed(spans, 'mesh.audit')
  return [
    atLeast('connections that the node opened', lives.length, opened.length),
    equals('different ids of them', opened.length, idsOf(opened).size),
    equals('closed connections', opened.length, idsOf(closed).size),
    equals('spans of closed connections', opened.length, closed.length),
    equals('connections that ended before their peer left them', 0, lives.filter(([, , early]) => early).length),
    atMost(
      'longest time that two connections were open at once',
      maxOverlapMs,
      Math.max(...overlaps(connections)),
      'ms',
    ),
    equals('checks with messages both ways', heardMs.length, heardByNode(outcome)),
    atMost('slowest check', maxExchangeMs, Math.max(...heardMs), 'ms'),
    each('censuses in which opened less closed is held', 'all', audits, (span) => balance(span) === 0),
    each('censuses without a suspect', 'all', audits, (span) => span.attributes['mesh.audit.suspects'] === 0),
    equals('broken invariants', 0, spansNamed(spans, 'mesh.leak.suspected').length),
    ...lastCensus(audits),
  ]
}

export function reconnectFigures(outcome: Reconnects): ProofResult['figures'] {
  const connections = connectionsOf(outcome)
  const overlap = overlaps(connections).filter((ms) => ms > 0)
  const reasons = Object.fromEntries(
    Map.groupBy(connections, ({ reason }) => reason)
      .entries()
      .map(([reason, of]) => [reason, of.length]),
  )
  const { lives, heardMs } = outcome
  const seconds = ((lives.at(-1)?.[1] ?? 0) - (lives[0]?.[0] ?? 0)) / 1_000
  return {
    connections: connections.length,
    perSecond: lives.length / seconds,
    overlaps: { count: overlap.length, p50: percentile(overlap, 0.5), p99: percentile(overlap, 0.99) },
    exchangeMs: { p50: percentile(heardMs, 0.5), max: Math.max(...heardMs) },
    reasons,
    heals: spansNamed(outcome.spans, 'mesh.gossip.healed').length,
    brokenInvariants: spansNamed(outcome.spans, 'mesh.leak.suspected').map(({ attributes }) => attributes),
  }
}

function connectionsOf({ spans, peer }: Reconnects): Opened[] {
  const ofPeer = (name: Parameters<typeof spansNamed>[1]) =>
    spansNamed(spans, name).filter((span) => span.attributes['mesh.peer.id'] === peer)
  const closed = new Map(
    ofPeer('mesh.connection.closed').map((span) => [String(span.attributes['mesh.connection.id']), span]),
  )
  return ofPeer('mesh.connection.opened')
    .map((span): Opened => {
      const id = String(span.attributes['mesh.connection.id'])
      const end = closed.get(id)
      const reason = String(end?.attributes['mesh.close.reason'] ?? 'open')
      return { id, openedAt: span.startMs, closedAt: end?.endMs ?? Infinity, reason }
    })
    .sort((a, b) => a.openedAt - b.openedAt)
}

/** For how long each connection was open beside its successor; negative if it closed before. */
function overlaps(connections: readonly Opened[]): number[] {
  return connections.slice(1).map(({ openedAt }, i) => (connections[i]?.closedAt ?? Infinity) - openedAt)
}

/** Lives whose message the node received. */
function heardByNode({ heard, peer }: Reconnects): number {
  return [...heard.values()].filter((from) => from === peer).length
}

const held = ['links', 'guests', 'unsettled', 'draining', 'closing'] as const

/** Zero if all opened connections are closed or in one of the states. */
function balance(audit: ReceivedSpan): number {
  const states = held.reduce((sum, state) => sum + numberOf(audit, `mesh.audit.${state}`), 0)
  return numberOf(audit, 'mesh.audit.opened_total') - numberOf(audit, 'mesh.audit.closed_total') - states
}

/** Of the last census while the node ran: nothing of the peer is left in gossipsub. */
function lastCensus(audits: readonly ReceivedSpan[]): Check[] {
  const last = audits.findLast((span) => span.attributes['mesh.audit.gossip.ghosts'] !== undefined)
  const names = ['peers', 'connections', 'streams', 'gossip.ghosts', 'gossip.streams_in', 'gossip.streams_out']
  return names.map((name) => equals(`${name} in the last census`, 0, Number(last?.attributes[`mesh.audit.${name}`])))
}

function idsOf(spans: readonly ReceivedSpan[]): ReadonlySet<unknown> {
  return new Set(spans.map((span) => span.attributes['mesh.connection.id']))
}
