import type { SpanEffect } from '../catalogue/span-effect.ts'
import { type Digest, type IdentityConflict, instanceOf } from './frames.ts'
import { withoutPeer } from './multiaddr-text.ts'
import { earliestSentAt, runningMs } from './sightings.ts'
import { emitIdentityConflict } from './spans/identity.ts'

export interface OwnIdentityOptions {
  readonly self: string
  readonly name: string
  readonly instance: string
  /** Addresses at which peers can dial this node. */
  readonly addresses: () => readonly string[]
}

const spanIntervalMs = 60_000
/** Dial interval during a conflict: neighbours that keep the link of the other process refuse every dial. */
const dialIntervalMs = 60_000

/**
 * Detects another process with this node's identity. The two cannot link, since libp2p refuses a peer with the own id:
 * this node receives the other's gossip, or the report of a neighbour that receives from both.
 */
export class OwnIdentity {
  readonly #options: OwnIdentityOptions
  #startedAt = Infinity
  #emittedAt = -Infinity
  #reportedAt = -Infinity
  /** When this node last detected the conflict itself, rather than by a neighbour's report. */
  #detectedAt = -Infinity
  #dialAt = -Infinity

  constructor(options: OwnIdentityOptions) {
    this.#options = options
  }

  onStarted(now: number): void {
    this.#startedAt = now
  }

  /** A digest over gossip with this node's signature. If sent before the start, it is from the previous process. */
  onOwnSignature(digest: Digest, ageMs: number, now: number): SpanEffect[] {
    const { instance, addresses } = this.#options
    const otherInstance = instanceOf(digest)
    const isCurrent = ageMs < runningMs && earliestSentAt('gossip', ageMs, now) >= this.#startedAt
    if (otherInstance === instance || !isCurrent) return []
    this.#detectedAt = now
    const conflictAddresses = [...addresses().slice(0, 1), ...digest.addresses.slice(0, 1)].map(withoutPeer)
    return this.#emit([instance, otherInstance], conflictAddresses, now)
  }

  /** A neighbour's report; it concerns this node if it names this process and another. */
  onReport({ peer, instances, addresses }: IdentityConflict, now: number): SpanEffect[] {
    const { self, instance } = this.#options
    if (peer !== self || !instances.includes(instance)) return []
    this.#reportedAt = now
    return this.#emit(instances, addresses, now)
  }

  /** A peer closed its only link as superseded: during a reported conflict it keeps the other process's link. */
  onLinkRefused(now: number): void {
    if (now - this.#reportedAt < runningMs) this.#detectedAt = now
  }

  /**
   * Earliest next dial; -Infinity unless this node itself detected another process with its identity. A neighbour's
   * report alone does not slow it down.
   */
  dialAfter(now: number): number {
    return now - this.#detectedAt < runningMs ? this.#dialAt : -Infinity
  }

  onDialled(now: number): void {
    this.#dialAt = now + dialIntervalMs
  }

  #emit(instances: readonly string[], addresses: readonly string[], now: number): SpanEffect[] {
    if (now - this.#emittedAt < spanIntervalMs) return []
    this.#emittedAt = now
    const { self, name } = this.#options
    return [emitIdentityConflict({ peer: self, name, instances, addresses, isOwn: true })]
  }
}
