import type { Proof } from './credentials/credential.ts'
import type { NetworkEvent } from './events.ts'
import type { CloseReason, Frame } from './frames.ts'
import type { GossipKeeperEffect } from './gossip-keeper.ts'
import type { LimitSpans } from './limit-spans.ts'
import type { LinkProtocolOptions } from './link-protocol.ts'
import type { RefusalReason } from './refusals.ts'
import type { AreRivals } from './survivor.ts'

export type LedgerEvent =
  | LinkEvent
  | Extract<NetworkEvent, { readonly type: 'opened' | 'observed' | 'gossip.unsent' }>
  /** This process was suspended for `ms`; peers' silence during that time does not count. */
  | { readonly type: 'slept'; readonly ms: number }
  | { readonly type: 'stopping' }
  | { readonly type: 'trust.checked'; readonly hasChanged: boolean }
  | { readonly type: 'tick' }

/** Events on one connection. */
export type LinkEvent =
  | Extract<NetworkEvent, { readonly type: `stream.${string}` | 'frame.refused' | 'connection.rejected' }>
  | { readonly type: 'frame'; readonly connection: string; readonly frame: Frame; readonly proof?: Proof | undefined }

/** `disconnected`: the last direct connection to the peer closed. */
export type LedgerEffect = GossipKeeperEffect | { readonly do: 'disconnected'; readonly peer: string }

/** Connections since the start: `opened` less those `closed`, by reason, are in the ledger. */
export interface LedgerCounts {
  readonly opened: number
  readonly closed: { readonly [R in CloseReason]?: number }
  readonly refused: { readonly [R in RefusalReason]?: number }
}

export interface LedgerOptions extends LinkProtocolOptions {
  /** Largest number of connected peers. */
  readonly connectionsHigh?: number
  /** Connected peers above which it closes guests; `connectionsHigh` by default, which closes none. */
  readonly connectionsLow?: number
  readonly areRivals?: AreRivals
  /** Whether a guest stays above `connectionsLow`, as a seed does. */
  readonly isNeeded?: (peer: string) => boolean
  /** Shared by the machines of a node. */
  readonly limitSpans?: LimitSpans
}
