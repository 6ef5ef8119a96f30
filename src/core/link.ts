import { observedHost, withoutPeer } from './address.ts'
import type { Credential } from './credentials/credential.ts'
import type { ConnectionInfo } from './events.ts'
import type { CloseReason, Hello } from './frames.ts'
import { IdentifyRetry } from './gossip-repair.ts'
import { StreamCheck } from './stream-check.ts'
import type { TraceRef } from './trace.ts'

/**
 * Progress of a link: the stream is opening, the own hello is sent, the peer is known to be a member or a guest,
 * another link of the pair won, or the connection is closing.
 */
export type LinkState = 'opening' | 'greeting' | 'settled' | 'draining' | 'closing'

/** How a link ends; the first side to act decides. */
export interface Ending {
  readonly reason: CloseReason
  readonly by: 'us' | 'them' | 'transport'
  /** Known goodbyes; a sent one may not have arrived. */
  readonly goodbye: 'none' | 'sent' | 'received' | 'both'
  /** Trace of the close, which the goodbye shares with the other side. */
  readonly trace: TraceRef | undefined
}

/** One connection of a peer in the ledger. */
export class Link {
  readonly connection: string
  readonly info: ConnectionInfo
  /** Remote address, without the peer id. */
  readonly address: string
  readonly openedAt: number
  state: LinkState = 'opening'
  /** When the link entered this state. */
  enteredAt: number
  /** When it began to drain or close; undefined before. */
  endedAt: number | undefined
  /** Dials of the dialler so far; undefined on the listener until hello. */
  counter: number | undefined
  id = ''
  /** Own `mesh.connection.opened`; undefined until emitted. */
  openedSpan: TraceRef | undefined
  /** `unsettled` until known; a guest has no hello. */
  kind: 'unsettled' | 'member' | 'guest' = 'unsettled'
  hello: Hello | undefined
  /** What has admitted the peer, in a closed mesh. */
  credentials: readonly Credential[] = []
  /** When the last frame arrived, and when the pending probe was sent. */
  heardAt: number
  probedAt: number | undefined
  /** Version of the own digest last sent in full, and when. */
  digestVersion = -1
  digestAt = -Infinity
  /** When a digest or `unchanged` was last sent. */
  digestSentAt = -Infinity
  readonly identify: IdentifyRetry
  readonly check: StreamCheck
  /** Identify has not succeeded on this connection. */
  awaitsIdentify = false
  /** This node is at its peer limit: it waits for the hello only to answer with a goodbye. */
  isOverLimit = false
  /** When to reopen a stream that failed to open, and the number of reopens so far. */
  reopenAt = Infinity
  reopens = 0
  /** Host at which the peer observes this node. */
  observedHost: string | undefined
  /** Multiaddr of that host, as identify sent it. */
  observed: string | undefined
  ending: Ending | undefined

  constructor(info: ConnectionInfo, now: number) {
    this.connection = info.id
    this.info = info
    this.address = withoutPeer(info.address)
    this.openedAt = now
    this.enteredAt = now
    this.heardAt = now
    this.identify = new IdentifyRetry(now)
    this.check = new StreamCheck(now)
  }
}

/** A relayed connection: the ledger lists it as a guest; it takes no place and never carries a link. */
export function isRelayed(link: Link): boolean {
  return link.info.isLimited === true
}

/** Both hellos arrived, and no other link of the pair won. */
export function isJoined(link: Link): boolean {
  return link.state === 'settled' && link.kind === 'member'
}

/** Neither draining nor closing. */
export function isActive(link: Link): boolean {
  return link.state !== 'draining' && link.state !== 'closing'
}

export function enter(link: Link, state: LinkState, now: number): void {
  link.state = state
  link.enteredAt = now
  if (!isActive(link)) link.endedAt ??= now
}

/** Whether the node checks at intervals that streams open on it: a guest has no link stream to probe. */
export function isChecked(link: Link): boolean {
  return link.state === 'settled' && link.kind === 'guest' && !isRelayed(link) && link.info.isForeign !== true
}

/** Parses the host at which the peer observes this node, only when it has changed. */
export function noteObserved(link: Link, info: ConnectionInfo): void {
  if (link.observed === info.observed) return
  link.observed = info.observed
  link.observedHost = observedHost(info)
}
