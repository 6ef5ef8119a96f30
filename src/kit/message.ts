import type { TraceRef } from '../core/trace.ts'

/** A message as the application gets it. */
export interface MeshMessage {
  readonly topic: string
  /** Peer id of the publisher, verified by its signature. */
  readonly from: string
  readonly data: Uint8Array
  /** The sampled span of the publish: the active span while a handler runs. Raw messages carry none. */
  readonly trace: TraceRef | undefined
  /** Number of bridges on its way. */
  readonly hops: number
}

/** May be async: a rejected promise counts as a thrown error. */
export type MessageHandler = (message: MeshMessage) => void

export interface PublishOptions {
  /**
   * Also publishes to the meshes behind bridges.
   *
   * @default false
   */
  readonly cross?: boolean
  /**
   * Publishes the body without the header, for guests that do not know it. The message carries no trace.
   *
   * @default false
   */
  readonly raw?: boolean
  /**
   * Aborts the publish while the message waits for neighbours: it rejects with the reason of the signal, and nothing is
   * sent. Once gossipsub has the message the signal has no effect.
   */
  readonly signal?: AbortSignal | undefined
}

export interface SubscribeOptions {
  /**
   * Delivers each payload as published; the header of a member's message stays in front of the body.
   *
   * @default false
   */
  readonly raw?: boolean
}

export interface Published {
  /** Peers of the first hop: 0 means that no peer received it. */
  readonly recipients: number
}

/** One of the last messages, for display. */
export interface MessageRecord {
  readonly at: number
  readonly direction: 'in' | 'out'
  readonly topic: string
  readonly peer: string
  readonly bytes: number
}
