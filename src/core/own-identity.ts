import { type Tell, tell } from '../catalogue/tell.ts'
import { type Digest, type IdentityConflict, instanceOf } from './frames.ts'
import { withoutPeer } from './multiaddr-text.ts'

export interface OwnIdentityOptions {
  readonly self: string
  readonly name: string
  readonly instance: string
  /** Addresses that this node can be dialled at. */
  readonly addresses: () => readonly string[]
}

/** After a start, digests of the process before may still be under way over gossip for so long. Guess. */
const settleMs = 30_000
const emitAgainMs = 60_000
/** A conflict counts as current for so long after it was heard of. */
const currentMs = 90_000
/** While it is current: neighbours that keep the other process refuse this one at each dial, so it dials rarely. */
const dialAgainMs = 60_000

/**
 * Notices that another process runs with this node's own identity. The two cannot link, since libp2p refuses a peer with
 * one's own id: this node hears the other's gossip, or a neighbour that hears both says so.
 */
export class OwnIdentity {
  readonly #options: OwnIdentityOptions
  #startedAt = Infinity
  #emittedAt = -Infinity
  #heardAt = -Infinity
  #dialAt = -Infinity

  constructor(options: OwnIdentityOptions) {
    this.#options = options
  }

  started(now: number): void {
    this.#startedAt = now
  }

  /** A digest over gossip that carries this node's own signature. */
  heard(digest: Digest, now: number): Tell[] {
    const { instance, addresses } = this.#options
    const other = instanceOf(digest)
    if (other === instance || now - this.#startedAt < settleMs) return []
    const places = [...addresses().slice(0, 1), ...digest.addresses.slice(0, 1)].map(withoutPeer)
    return this.#emit([instance, other], places, now)
  }

  /** What a neighbour says: it concerns this node when it names this process beside another. */
  reported({ peer, instances, addresses }: IdentityConflict, now: number): Tell[] {
    const { self, instance } = this.#options
    return peer === self && instances.includes(instance) ? this.#emit(instances, addresses, now) : []
  }

  /** Until when this node does not dial; a moment of the past unless another process has its identity. */
  dialAfter(now: number): number {
    return now - this.#heardAt < currentMs ? this.#dialAt : -Infinity
  }

  dialled(now: number): void {
    this.#dialAt = now + dialAgainMs
  }

  #emit(instances: readonly string[], addresses: readonly string[], now: number): Tell[] {
    this.#heardAt = now
    if (now - this.#emittedAt < emitAgainMs) return []
    this.#emittedAt = now
    const { self, name } = this.#options
    return [
      tell('mesh.identity.conflict', {
        'mesh.peer.id': self,
        'mesh.peer.name': name,
        'mesh.identity.instances': instances,
        'mesh.identity.addresses': addresses,
        'mesh.identity.own': true,
      }),
    ]
  }
}
