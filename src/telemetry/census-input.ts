import type { Inventory } from '../core/owner.ts'
import type { Vitals } from './vitals.ts'

/** A link as the ledger holds it. */
export interface LedgerLink {
  readonly connection: string
  readonly peer: string
  /** `superseded`: another link of the pair stays, and this one is being drained. */
  readonly state: 'joined' | 'guest' | 'unsettled' | 'superseded' | 'closing'
  /** Milliseconds since it was opened, and since it is in this state. */
  readonly ageMs: number
  readonly stateMs: number
  /** The application’s own connection to a guest: it may have several to one peer. */
  readonly shared?: boolean
}

/** A connection as libp2p holds it. */
export interface HeldConnection {
  readonly id: string
  readonly peer: string
  readonly ageMs: number
}

/** What every layer holds at one moment. */
export interface CensusInput {
  readonly inventory: Inventory
  readonly links: readonly LedgerLink[]
  readonly connections: readonly HeldConnection[]
  readonly counts: {
    readonly peers: number
    readonly members: number
    readonly streams: number
    readonly gossipPeers: number
    readonly peerStore: number
  }
  /** Frames since the start. */
  readonly frames: { readonly in: number; readonly out: number; readonly refused: number }
  readonly vitals: Vitals
  /** Sweeps over the members since the start. */
  readonly sweeps: number
  readonly telemetry: { readonly queued: number; readonly lostTotal: number; readonly sampledOut: number }
}
