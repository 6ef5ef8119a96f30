import type { ConnectionInfo } from './events.ts'
import type { CloseReason, Hello } from './frames.ts'
import { IdentifyRetry } from './identify-retry.ts'
import type { TraceRef } from './trace.ts'

/**
 * How far a link has come: its stream is being opened, our hello is out, it is known whether the peer is a member or a
 * guest, another link of the pair stays, or it is being closed.
 */
export type LinkState = 'opening' | 'greeting' | 'settled' | 'draining' | 'closing'

/** How a link ends, fixed by whoever moves first. */
export interface Ending {
  readonly reason: CloseReason
  readonly by: 'us' | 'them' | 'transport'
  /** Which goodbyes are known of: of one that was sent it is not known whether it arrived. */
  readonly goodbye: 'none' | 'sent' | 'received' | 'both'
  /** Trace of the end, shared with the other side by the goodbye. */
  readonly trace: TraceRef | undefined
}

/** One connection of a peer, as the ledger holds it. */
export interface Link {
  readonly connection: string
  readonly info: ConnectionInfo
  readonly openedAt: number
  state: LinkState
  /** Since when it is in this state. */
  stateAt: number
  /** Dials of the dialler so far; undefined on the listener until hello. */
  counter: number | undefined
  id: string
  /** Own `mesh.connection.opened`; undefined until it was told. */
  openedSpan: TraceRef | undefined
  /** What the peer turned out to be: a guest has no hello. */
  kind: 'unsettled' | 'member' | 'guest'
  hello: Hello | undefined
  /** Last time anything was heard, and since when an answer to a probe is awaited. */
  heardAt: number
  probedAt: number | undefined
  /** Version of the own digest that was last sent in full, and when. */
  digestVersion: number
  digestAt: number
  /** When anything of the own digest was last sent. */
  digestSentAt: number
  readonly identify: IdentifyRetry
  /** Identify has not succeeded on it. */
  awaitsIdentify: boolean
  /** This node is full: it waits for a hello only to answer that with a goodbye. */
  isOverCapacity: boolean
  /** When its stream, which failed to open, is opened again; and how often it was. */
  reopenAt: number
  reopens: number
  /** Host at which the peer sees this node. */
  observedHost: string | undefined
  ending: Ending | undefined
}

export function newLink(info: ConnectionInfo, now: number): Link {
  return {
    connection: info.id,
    info,
    openedAt: now,
    state: 'opening',
    stateAt: now,
    counter: undefined,
    id: '',
    openedSpan: undefined,
    kind: 'unsettled',
    hello: undefined,
    heardAt: now,
    probedAt: undefined,
    digestVersion: -1,
    digestAt: -Infinity,
    digestSentAt: -Infinity,
    identify: new IdentifyRetry(now),
    awaitsIdentify: false,
    isOverCapacity: false,
    reopenAt: Infinity,
    reopens: 0,
    observedHost: undefined,
    ending: undefined,
  }
}

/** A relay carries it: it is listed as a guest, takes no place and never becomes a link. */
export function isRelayed(link: Link): boolean {
  return link.info.limited === true
}

/** Both hellos are in, and it stays. */
export function isJoined(link: Link): boolean {
  return link.state === 'settled' && link.kind === 'member'
}

/** Neither ended nor about to be. */
export function isActive(link: Link): boolean {
  return link.state !== 'draining' && link.state !== 'closing'
}

export function enter(link: Link, state: LinkState, now: number): void {
  link.state = state
  link.stateAt = now
}
