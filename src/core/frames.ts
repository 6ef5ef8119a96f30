import type { closeReasons, roles } from '../catalogue/attributes.ts'
import type { TraceRef } from './trace.ts'

export type Role = (typeof roles)[number]
export type CloseReason = (typeof closeReasons)[number]

/** First thing each end says on a link stream. */
export interface Hello {
  /** Meshes this node is in: one, or two for a bridge. */
  readonly meshes: readonly string[]
  readonly name: string
  readonly role: Role
  readonly incarnation: number
  /** Version of the software, for people. */
  readonly build: string
  /** The dialler's count of its dials in this incarnation; the listener repeats it. */
  readonly counter: number
  /** The sender's `mesh.connection.opened`. */
  readonly trace: TraceRef
}

/** What a node says of itself. Newer is higher (incarnation, sequence); the sender's clock decides nothing. */
export interface Digest {
  readonly peer: string
  readonly name: string
  readonly role: Role
  readonly meshes: readonly string[]
  readonly incarnation: number
  readonly sequence: number
  /** Milliseconds between digests on the way this one came; the staleness window scales with it. */
  readonly intervalMs: number
  readonly addresses: readonly string[]
  readonly topics: readonly string[]
  /** Peer ids of its links. */
  readonly links: readonly string[]
  /** Unix milliseconds by the sender's clock: only ever compared to tell of skew. */
  readonly sentAt: number
}

/** Messages of the link stream. Numbers of the wire are in `kit/wire.ts`. */
export type Frame =
  | { readonly type: 'hello'; readonly hello: Hello }
  | { readonly type: 'digest'; readonly digest: Digest }
  /** The last digest still holds: only its sequence number has moved on. */
  | { readonly type: 'unchanged'; readonly incarnation: number; readonly sequence: number }
  | { readonly type: 'probe' }
  | { readonly type: 'answer' }
  | { readonly type: 'goodbye'; readonly reason: CloseReason; readonly trace: TraceRef }

export type FrameType = Frame['type']

/** Shared name of a link: who dialled, in which incarnation, and which of its dials it was. */
export function linkId(dialler: string, incarnation: number, counter: number): string {
  return `${dialler.slice(-8)}.${incarnation}.${counter}`
}
