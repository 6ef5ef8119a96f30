import { totalmem } from 'node:os'
import { limits } from '../core/limits.ts'
import { connectionCaps } from '../kit/limits/resource-caps.ts'

/** Bytes that this process may use: those of its container, or of the machine. */
export function availableMemory(): number {
  // Without a limit Node returns 0, or 2^64 less one page.
  const constrained = process.constrainedMemory()
  return constrained > 0 ? Math.min(constrained, totalmem()) : totalmem()
}

/**
 * One connection with its peer, link and gossip streams, at rest. Guess: while 300 peers joined at once the resident memory
 * of a seed grew by 258 KB per peer, garbage included.
 */
export const connectionBytes = 65_536
/** A member with a full digest. Guess. */
const memberBytes = 2_048
/** Smallest and largest flow control window of a QUIC connection; the largest is the default of js-libp2p. */
const quicWindows = { min: 65_536, max: 15_000_000 }

/** A sixteenth of the memory, within the range of the setting. */
export function defaultBufferedBytes(memory: number): number {
  return Math.max(4 * 1_048_576, Math.min(limits.bufferedBytes, Math.floor(memory / 16)))
}

/**
 * Bytes that a QUIC peer may send before this node has read them. They lie outside V8's heap and outside of
 * `bufferedBytes`, so all connections together get an eighth of the memory.
 */
export function quicWindow(connectionsHigh: number, memory: number): number {
  const share = Math.floor(memory / 8 / connectionCaps(connectionsHigh).connections)
  return Math.max(quicWindows.min, Math.min(quicWindows.max, share))
}

/** Least bytes of topics per peer: 31 topics, each with its 1 KiB. Guess: far more than the mesh's own. */
const minTopicBytes = 32_768

/** Bytes of topics that one peer may have: all connected peers together get an eighth of the memory. */
export function peerTopicBytes(connectionsHigh: number, memory: number): number {
  const share = Math.floor(memory / 8 / connectionCaps(connectionsHigh).connections)
  return Math.max(minTopicBytes, Math.min(limits.peerTopicBytes, share))
}

/** A peer that left with penalties and the backoffs of `limits.grudgeTopics` topics. Guess. */
const grudgeBytes = 4_096

interface CappedConfig {
  readonly connectionsHigh: number
  readonly bufferedBytes: number
  readonly messageBytes: number
}

/**
 * Bytes that a node holds if it reaches every limit at once, by what holds them. The program itself comes on top, and
 * gossipsub's cache, which keeps the messages of five seconds however many come. `streamBuffers` has the queues of link
 * streams and of gossipsub's streams.
 */
export function capsByUse(config: CappedConfig, memory: number): Readonly<Record<string, number>> {
  const { connectionsHigh, bufferedBytes, messageBytes } = config
  const { connections } = connectionCaps(connectionsHigh)
  return {
    connections: connections * connectionBytes,
    quicWindows: connections * quicWindow(connectionsHigh, memory),
    streamBuffers: bufferedBytes,
    gossipTopics: connections * peerTopicBytes(connectionsHigh, memory),
    grudges: limits.grudges * grudgeBytes,
    members: limits.members * memberBytes,
    queuedSpans: limits.queuedSpanBytes,
    messagesWaiting: limits.publishesWaiting * messageBytes + limits.crossingsWaitingBytes + limits.relayWaitingBytes,
  }
}

export function capsBytes(config: CappedConfig, memory: number): number {
  return Object.values(capsByUse(config, memory)).reduce((sum, bytes) => sum + bytes, 0)
}
