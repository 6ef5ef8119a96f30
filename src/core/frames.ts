import type { closeReasons } from '../catalogue/bands.ts'
import type { Role } from '../catalogue/roles.ts'
import type { TraceRef } from './trace.ts'

export type CloseReason = (typeof closeReasons)[number]

/** First frame of each end on a link stream. */
export interface Hello {
  /** Meshes this node is in: one, or two for a bridge. */
  readonly meshes: readonly string[]
  readonly name: string
  readonly role: Role
  readonly incarnation: number
  /** Random id of the process; earlier versions send none. */
  readonly instance?: string | undefined
  /** Version of the software, for people. */
  readonly build: string
  /** The dialler's count of its dials in this incarnation; the listener repeats it. */
  readonly counter: number
  /** The sender's `mesh.connection.opened`. */
  readonly trace: TraceRef
  /** Tokens of its credentials, one per mesh; a node of an open mesh sends none. */
  readonly credentials?: readonly string[] | undefined
}

/** A node's description of itself. The higher (incarnation, sequence) is newer, regardless of the sender's clock. */
export interface Digest {
  readonly peer: string
  readonly name: string
  readonly role: Role
  readonly meshes: readonly string[]
  readonly incarnation: number
  readonly sequence: number
  readonly instance?: string | undefined
  /** Milliseconds between digests on this path (link or gossip); the staleness window scales with it. */
  readonly intervalMs: number
  readonly addresses: readonly string[]
  readonly topics: readonly string[]
  /** Peer ids of its links. */
  readonly links: readonly string[]
  /** Identities that two processes use, as the sender observes; the processes learn of each other by this field. */
  readonly conflicts?: readonly IdentityConflict[] | undefined
  /** Over gossip in a closed mesh: its credentials, as in a hello. */
  readonly credentials?: readonly string[] | undefined
  /** The last digest of this process: it stops. Over gossip only, for members without a link. */
  readonly leaving?: true | undefined
  /** Unix milliseconds by the sender's clock; used only to detect skew and to estimate the age of gossip. */
  readonly sentAt: number
}

/** Two live processes with one identity, and the address of each. */
export interface IdentityConflict {
  readonly peer: string
  readonly instances: readonly string[]
  readonly addresses: readonly string[]
}

/** The process behind a hello or digest. Earlier versions send no instance; the incarnation replaces it. */
export function instanceOf({ instance, incarnation }: Pick<Hello, 'instance' | 'incarnation'>): string {
  return instance ?? `#${incarnation}`
}

export type DialBackTransport = 'quic' | 'tcp'

/** Requests that a neighbour dials the sender back at its observed IP address. */
export interface DialBackRequest {
  /** 32 hexadecimal digits. The fresh dial derives its peer id from it, by which the requester recognises the dial. */
  readonly nonce: string
  readonly transport: DialBackTransport
  readonly port: number
}

export interface DialBackResult {
  readonly nonce: string
  /** Without an error: it would reveal to a requester which ports are open on a host that it shares. */
  readonly outcome: 'reachable' | 'unreachable' | 'refused'
}

export type DialBackOutcome = DialBackResult['outcome'] | 'no-answer'

/** Frames of the link stream. `kit/wire.ts` has their type codes. */
export type Frame =
  | { readonly type: 'hello'; readonly hello: Hello }
  | { readonly type: 'digest'; readonly digest: Digest }
  /** The last digest is still valid; only its sequence number has changed. */
  | { readonly type: 'unchanged'; readonly incarnation: number; readonly sequence: number }
  | { readonly type: 'probe' }
  | { readonly type: 'answer' }
  /** Credentials in place of those of the hello, before these expire or are replaced. */
  | { readonly type: 'credentials'; readonly credentials: readonly string[] }
  | { readonly type: 'goodbye'; readonly reason: CloseReason; readonly trace: TraceRef }
  | { readonly type: 'dialback.request'; readonly request: DialBackRequest }
  | { readonly type: 'dialback.result'; readonly result: DialBackResult }

export type DialBackFrame = Extract<Frame, { readonly type: 'dialback.request' | 'dialback.result' }>

export type DigestFrame = Extract<Frame, { readonly type: 'digest' | 'unchanged' }>

export type FrameType = Frame['type']

/** Link id on both ends: the dialler, its incarnation, and its dial counter. */
export function linkId(dialler: string, incarnation: number, counter: number): string {
  return `${dialler.slice(-8)}.${incarnation}.${counter}`
}

/** Whether two lists of a digest say the same, in the same order. */
export function areSameTexts(a: readonly string[], b: readonly string[]): boolean {
  return a === b || (a.length === b.length && a.every((text, index) => text === b[index]))
}
