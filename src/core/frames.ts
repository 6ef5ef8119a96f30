import type { closeReasons } from '../catalogue/attributes.ts'
import type { Role } from '../catalogue/roles.ts'
import type { TraceRef } from './trace.ts'

export type CloseReason = (typeof closeReasons)[number]

/** First thing each end says on a link stream. */
export interface Hello {
  /** Meshes this node is in: one, or two for a bridge. */
  readonly meshes: readonly string[]
  readonly name: string
  readonly role: Role
  readonly incarnation: number
  /** Drawn by each process at its start; earlier versions send none. */
  readonly instance?: string | undefined
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
  readonly instance?: string | undefined
  /** Milliseconds between digests on the way this one came; the staleness window scales with it. */
  readonly intervalMs: number
  readonly addresses: readonly string[]
  readonly topics: readonly string[]
  /** Peer ids of its links. */
  readonly links: readonly string[]
  /** Identities that the sender hears from two processes: it is how these learn of each other. */
  readonly conflicts?: readonly IdentityConflict[] | undefined
  /** Unix milliseconds by the sender's clock: only ever compared to tell of skew. */
  readonly sentAt: number
}

/** Two live processes with one identity, and where each was heard from. */
export interface IdentityConflict {
  readonly peer: string
  readonly instances: readonly string[]
  readonly addresses: readonly string[]
}

/** The process behind a hello or digest. Earlier versions name none; their starts are told apart by incarnation. */
export function instanceOf({
  instance,
  incarnation,
}: {
  readonly instance?: string | undefined
  readonly incarnation: number
}): string {
  return instance ?? `#${incarnation}`
}

export type DialBackTransport = 'quic' | 'tcp'

/** Asks a neighbour whether it reaches the sender at the IP address it sees, by a fresh dial. */
export interface DialBackRequest {
  /** 32 hexadecimal digits. The peer id of the fresh dial follows from it, so the asker knows that dial. */
  readonly nonce: string
  readonly transport: DialBackTransport
  readonly port: number
}

export interface DialBackResult {
  readonly nonce: string
  /** No more than that: the reason of a failure would tell an asker which ports are open at a host that it shares. */
  readonly outcome: 'reachable' | 'unreachable' | 'refused'
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
  | { readonly type: 'dialback.request'; readonly request: DialBackRequest }
  | { readonly type: 'dialback.result'; readonly result: DialBackResult }

export type DialBackFrame = Extract<Frame, { readonly type: 'dialback.request' | 'dialback.result' }>

export function isDialBack(frame: Frame): frame is DialBackFrame {
  return frame.type === 'dialback.request' || frame.type === 'dialback.result'
}

export type FrameType = Frame['type']

/** Shared name of a link: who dialled, in which incarnation, and which of its dials it was. */
export function linkId(dialler: string, incarnation: number, counter: number): string {
  return `${dialler.slice(-8)}.${incarnation}.${counter}`
}
