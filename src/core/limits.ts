import type { SpanEffect } from '../catalogue/span-effect.ts'
import { emitLimitReached, type LimitAction } from './spans/node.ts'

/**
 * All limits of a node. None may be zero or infinite. "Guess" marks limits that no measurement or specification
 * supports yet.
 */
export const limits = {
  /** Connected peers in the ledger: libp2p's default for `maxConnections`. */
  peers: 300,
  /** Concurrent links of one peer: two crossed dials, their successors, one spare. */
  linksPerPeer: 6,
  /** Refused connections that have not closed yet; libp2p limits them, too. Guess. */
  refused: 1_024,
  /** Peers connected through relays only; the ledger does not list further ones. Guess. */
  relayedPeers: 64,
  /** Members in the digest view, including departed ones that are still retained. Guess. */
  members: 4_096,
  /** Peer ids and topics per digest; both limit the frame size. Guess. */
  digestLinks: 64,
  digestTopics: 64,
  digestAddresses: 16,
  /** Identity conflicts per digest. Guess. */
  digestConflicts: 4,
  /** Bytes of one frame's payload on the link stream. A full digest stays below 8 KiB. */
  frameBytes: 16_384,
  /** Bytes queued on a link stream for a peer that does not read: many digests. Guess. */
  linkOutBytes: 131_072,
  /** Concurrent dials: every seed, and as many peers. */
  dials: 64,
  /** Frames per second on one link before the node closes it for flooding. Guess. */
  framesPerSecond: 200,
  /** Payload of one published message: rust-libp2p accepts 64 KiB per RPC, envelope included. */
  messageBytes: 60_000,
  /** Messages in the seen cache of the bridge relay. */
  relaySeen: 8_192,
  /** Crossing messages that wait for the check of their seals, and their bytes. Guess. */
  crossingsWaiting: 1_024,
  crossingsWaitingBytes: 8 * 1024 * 1024,
  /** Published messages that wait until gossipsub reaches a peer. Guess. */
  publishesWaiting: 256,
  /** Messages for which the bridge relay waits for another bridge. Guess. */
  relayWaiting: 1_024,
  /** Their bytes, since each may have `messageBytes`. Guess. */
  relayWaitingBytes: 8 * 1024 * 1024,
  /** Recent messages, for display and to detect duplicates from two bridges. Guess. */
  messageRing: 1_024,
  /** Seeds of one node. */
  seeds: 32,
  /** Subscribed topics of the application. */
  topics: 256,
  /** Peers that left with penalties or backoffs, and backoffs of one of them. Guess: at most 1 MB. */
  grudges: 1_024,
  grudgeTopics: 32,
  /** Milliseconds for which penalties outlive their peer: gossipsub's own default. */
  grudgeMs: 3_600_000,
  /** Bytes of topics in gossipsub per peer, 1 KiB per topic included: twice the topics of an application. */
  peerTopicBytes: 524_288,
  /** Longest backoff in seconds that a PRUNE may ask for: 60 times gossipsub’s own. Guess. */
  pruneBackoff: 3_600,
  /** Registries and watched collections of the application. Each costs a span per census. */
  applicationRegistries: 32,
  /** Registries, timers, resources and child owners of one owner. Guess. */
  held: 4_096,
  /** Queued events of the driver; it refuses further ones. A snapshot makes up for missed hints. */
  inbox: 4_096,
  /** Spans and bytes queued while the OTLP receiver is unavailable. */
  queuedSpans: 20_000,
  queuedSpanBytes: 24 * 1024 * 1024,
  /** Characters of a name that a peer chooses. */
  nameLength: 64,
} as const

export type LimitName = keyof typeof limits

const spanIntervalMs = 1_000

/** Emits spans for reached limits, at most one per limit and second, because refusals may come by the thousand. */
export class LimitSpans {
  #emittedAt: { readonly [L in LimitName]?: number } = {}

  emit(limit: LimitName, action: LimitAction, now: number, peer?: string, value: number = limits[limit]): SpanEffect[] {
    if (now - (this.#emittedAt[limit] ?? -Infinity) < spanIntervalMs) return []
    this.#emittedAt = { ...this.#emittedAt, [limit]: now }
    return [emitLimitReached(limit, value, action, peer)]
  }
}
