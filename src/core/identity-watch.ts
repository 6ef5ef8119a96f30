import type { SpanEffect } from '../catalogue/span-effect.ts'
import { withoutPeer } from './address.ts'
import type { ConnectionLedger } from './connection-ledger.ts'
import type { DigestView, ViewEvent } from './digest-view.ts'
import { type Digest, type Frame, type IdentityConflict, instanceOf } from './frames.ts'
import { isJoined } from './link.ts'
import { areRivals, conflictOf, earliestSentAt, runningMs } from './sightings.ts'
import { emitIdentityConflict } from './spans/member.ts'

/** Tracks which processes use which identity: it reports sightings per member; two concurrent ones are a conflict. */
export class IdentityWatch {
  readonly own: OwnIdentity
  readonly #self: string
  readonly #view: DigestView
  readonly #ledger: ConnectionLedger

  constructor(options: OwnIdentityOptions, view: DigestView, ledger: ConnectionLedger) {
    this.own = new OwnIdentity(options)
    this.#self = options.self
    this.#view = view
    this.#ledger = ledger
  }

  /** Reports the process on this connection to the view, before the ledger chooses among the peer's links. */
  onFrame(connection: string, frame: Frame, now: number): ViewEvent | undefined {
    const [record, link] = this.#ledger.find(connection) ?? []
    const hello = frame.type === 'hello' ? frame.hello : link?.hello
    if (record === undefined || link === undefined || hello === undefined) return undefined
    const isSuperseded = frame.type === 'goodbye' && frame.reason === 'superseded'
    if (isSuperseded && !record.links.some((one) => one !== link && isJoined(one))) this.own.onLinkRefused(now)
    const report = { instance: instanceOf(hello), address: link.address, via: 'link' } as const
    return { type: 'sighted', peer: record.peer, report }
  }

  /** A digest over gossip, signed by its sender; `wall` is this node's clock. */
  onGossip(digest: Digest, wall: number): ViewEvent | undefined {
    if (digest.peer === this.#self) return undefined
    const address = withoutPeer(digest.addresses[0] ?? '')
    const report = { instance: instanceOf(digest), address, via: 'gossip', ageMs: ageMs(digest, wall) } as const
    return { type: 'sighted', peer: digest.peer, report }
  }

  /** A digest over gossip, which may have this node's own signature. */
  onOwnSignature(digest: Digest, wall: number, now: number): SpanEffect[] {
    return digest.peer === this.#self ? this.own.onOwnSignature(digest, ageMs(digest, wall), now) : []
  }

  /** A digest on the link to a member. Conflicts over gossip are not trusted: any peer can forge them. */
  onNeighbourDigest({ conflicts = [] }: Digest, now: number): SpanEffect[] {
    return conflicts.flatMap((conflict) => this.own.onReport(conflict, now))
  }

  /** Whether two processes of this peer are known to run concurrently. */
  areRivals(peer: string, a: string, b: string): boolean {
    const member = this.#view.get(peer)
    return member !== undefined && areRivals(member.sightings, a, b)
  }

  /** Whether this connection belongs to a second process while the link to the first one stays. */
  isRefusedRival(connection: string): boolean {
    const [record, link] = this.#ledger.find(connection) ?? []
    const joinedLink = record && this.#ledger.joinedLink(record.peer)
    if (link?.hello === undefined || joinedLink?.hello === undefined || joinedLink === link) return false
    return this.areRivals(record?.peer ?? '', instanceOf(joinedLink.hello), instanceOf(link.hello))
  }

  /** Identities that two processes use now. */
  conflicts(now: number): IdentityConflict[] {
    return this.#view.contested().flatMap(({ digest, sightings }) => conflictOf(digest.peer, sightings, now) ?? [])
  }
}

/** Time in transit of a digest, estimated from two clocks. */
function ageMs({ sentAt }: Digest, wall: number): number {
  return Math.max(0, wall - sentAt)
}

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
