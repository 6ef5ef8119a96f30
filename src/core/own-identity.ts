import { emitSpan, type SpanEffect } from '../catalogue/span-effect.ts'
import { type Digest, type IdentityConflict, instanceOf } from './frames.ts'
import { withoutPeer } from './multiaddr-text.ts'
import { earliestSentAt, runningMs } from './sightings.ts'

export interface OwnIdentityOptions {
  readonly self: string
  readonly name: string
  readonly instance: string
  /** Addresses that this node can be dialled at. */
  readonly addresses: () => readonly string[]
}

const spanIntervalMs = 60_000
/** While another process runs: neighbours that keep its link refuse this one at each dial, so it dials rarely. */
const dialIntervalMs = 60_000

/**
 * Notices that another process runs with this node's own identity. The two cannot link, since libp2p refuses a peer with
 * one's own id: this node hears the other's gossip, or a neighbour that hears both says so.
 */
export class OwnIdentity {
  readonly #options: OwnIdentityOptions
  #startedAt = Infinity
  #emittedAt = -Infinity
  #reportedAt = -Infinity
  /** When this node itself found out last, rather than by a neighbour's word. */
  #detectedAt = -Infinity
  #dialAt = -Infinity

  constructor(options: OwnIdentityOptions) {
    this.#options = options
  }

  onStarted(now: number): void {
    this.#startedAt = now
  }

  /** A digest over gossip with this node's own signature. One that was sent before the start is of the process before. */
  onOwnSignature(digest: Digest, ageMs: number, now: number): SpanEffect[] {
    const { instance, addresses } = this.#options
    const otherInstance = instanceOf(digest)
    const isCurrent = ageMs < runningMs && earliestSentAt('gossip', ageMs, now) >= this.#startedAt
    if (otherInstance === instance || !isCurrent) return []
    this.#detectedAt = now
    const conflictAddresses = [...addresses().slice(0, 1), ...digest.addresses.slice(0, 1)].map(withoutPeer)
    return this.#emit([instance, otherInstance], conflictAddresses, now)
  }

  /** What a neighbour says: it concerns this node when it names this process beside another. */
  onReport({ peer, instances, addresses }: IdentityConflict, now: number): SpanEffect[] {
    const { self, instance } = this.#options
    if (peer !== self || !instances.includes(instance)) return []
    this.#reportedAt = now
    return this.#emit(instances, addresses, now)
  }

  /** A peer ended the only link to it as superseded: while a conflict is reported, it keeps the other process's link. */
  onLinkRefused(now: number): void {
    if (now - this.#reportedAt < runningMs) this.#detectedAt = now
  }

  /**
   * Until when this node does not dial; a moment of the past unless it found out itself that another process has its
   * identity. A neighbour's word alone does not slow it down.
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
    return [
      emitSpan('mesh.identity.conflict', {
        'mesh.peer.id': self,
        'mesh.peer.name': name,
        'mesh.identity.instances': instances,
        'mesh.identity.addresses': addresses,
        'mesh.identity.own': true,
      }),
    ]
  }
}
