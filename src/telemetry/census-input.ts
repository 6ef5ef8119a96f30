import type { Inventory } from '../core/owner.ts'
import type { Vitals } from './vitals.ts'

/** A link in the ledger. */
export interface LedgerLink {
  readonly connection: string
  readonly peer: string
  /** `superseded`: another link of the pair won, and this one drains. */
  readonly state: 'joined' | 'guest' | 'unsettled' | 'superseded' | 'closing'
  /** Milliseconds since it opened, and since it entered this state. */
  readonly ageMs: number
  readonly stateMs: number
  /** The application’s own connection to a guest; it may have several to one peer. */
  readonly shared?: boolean
}

/** A connection that libp2p has open. */
export interface OpenConnection {
  readonly id: string
  readonly peer: string
  readonly ageMs: number
}

/** What every layer counts at one moment. */
export interface CensusInput {
  readonly inventory: Inventory
  readonly links: readonly LedgerLink[]
  readonly connections: readonly OpenConnection[]
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
