import { EventEmitter } from 'node:events'
import type { Connection } from '@libp2p/interface'

/** A message of the application. */
export interface Order {
  readonly number: number
  readonly lines: readonly { readonly article: string; readonly pieces: number }[]
}

/** A mistake of an application that embeds the kit, in objects that the kit knows nothing of. */
export interface Leak {
  readonly leastActs?: number
  /** A peer connected. */
  join?(peer: string): unknown
  /** An order arrived. `connections`: those of the application. */
  order?(order: Order, connections: readonly Connection[]): unknown
}

export const notesProtocol = '/notes/1.0.0'
const bufferBytes = 96 * 1_024
const historyLength = 20_000

const sessions: Record<string, object> = {}
const orders: Order[] = []
const desk = new EventEmitter().setMaxListeners(0)
const intervals: NodeJS.Timeout[] = []
const documents: Buffer[] = []
const streams: object[] = []

/** Six leaks that no rule was made for. */
export const leaks: Readonly<Record<string, Leak>> = {
  /** A map keyed by peer: nobody deletes an entry. */
  'outside-sessions': { join: (peer) => Object.assign(sessions, { [peer]: openSession(peer) }) },
  /** An array of all messages. */
  'outside-orders': { order: (order) => void orders.push(order) },
  /** A listener for each message, on an emitter of the application. */
  'outside-emitter': { order: (order) => void desk.on('closed', () => order.lines.length) },
  /** An interval for each peer, which its end does not clear. */
  'outside-intervals': { join: (peer) => startChecks(peer) },
  /** A buffer outside the heap for each message. */
  'outside-buffers': { order: () => void documents.push(Buffer.alloc(bufferBytes, 1)) },
  /** A stream for each message, which nobody closes. */
  'outside-streams': {
    order: async (_, [connection]) => connection && streams.push(await connection.newStream(notesProtocol)),
  },
}

function openSession(peer: string): object {
  return { peer, history: Array.from({ length: historyLength }, (_, page) => ({ page, seen: page % 7 })) }
}

function startChecks(peer: string): void {
  for (const what of ['credit', 'stock', 'address', 'presence', 'price', 'terms', 'mood', 'clock', 'tax', 'route'])
    intervals.push(setInterval(() => `${what} of ${peer}`, 3_600_000).unref())
}
