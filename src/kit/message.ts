import type { TraceRef } from '../core/trace.ts'

/** A message as the application gets it. */
export interface MeshMessage {
  readonly topic: string
  /** Peer id of the publisher; its signature was checked. */
  readonly from: string
  readonly data: Uint8Array
  /** The sampled span that it was published in: the active span while a handler runs. Raw messages carry none. */
  readonly trace: TraceRef | undefined
  /** Bridges passed. */
  readonly hops: number
}

/** May be async: a promise that rejects counts as a handler that throws. */
export type MessageHandler = (message: MeshMessage) => void

export interface PublishOptions {
  /** Also to the meshes that a bridge leads to. */
  readonly cross?: boolean
  /** Publishes the body alone, without the header: for guests that do not know it. The message carries no trace. */
  readonly raw?: boolean
}

export interface SubscribeOptions {
  /** Hands out each payload as it was published; a header, where a member put one, stays in front of the body. */
  readonly raw?: boolean
}

export interface Published {
  /** Peers the first hop went to: 0 means that nobody heard it. */
  readonly recipients: number
}

/** One of the last messages, for people. */
export interface MessageRecord {
  readonly at: number
  readonly direction: 'in' | 'out'
  readonly topic: string
  readonly peer: string
  readonly bytes: number
}
