import type { Role } from '../catalogue/roles.ts'
import { rankAmong } from './backoff.ts'
import { BridgeRelay } from './bridge-relay.ts'
import { ConnectionLedger } from './connection-ledger.ts'
import { DialBack } from './dial-back.ts'
import { DigestView, type ViewEffect, type ViewEvent } from './digest-view.ts'
import type { NodeEffect, NodeEvent } from './events.ts'
import { type Digest, type DigestFrame, type Frame, instanceOf } from './frames.ts'
import { IdentityWatch } from './identity-watch.ts'
import type { LedgerEffect, LedgerEvent } from './ledger-events.ts'
import { LimitSpans } from './limit-spans.ts'
import type { LinkProtocolOptions } from './link-protocol.ts'
import { concat, type Machine, type Random } from './machine.ts'
import { MemberPaths } from './member-paths.ts'
import { Neighbours } from './neighbours.ts'
import { OwnDigest } from './own-digest.ts'
import type { Owner } from './owner.ts'
import { otherBridges, ReachWatch } from './reach.ts'
import { Rounds } from './rounds.ts'
import { SeedDialler } from './seed-dialler.ts'
import { findLinkedPeer } from './seed-peer.ts'
import { emitNodeStalled, emitNodeStarted } from './spans/node.ts'
import { newTrace, type TraceRef } from './trace.ts'

export interface MeshNodeOptions extends Pick<LinkProtocolOptions, 'admission' | 'credentials' | 'findFlaw'> {
  /** Own peer id, as text. */
  readonly self: string
  readonly name: string
  readonly role: Role
  /** One mesh; two for a bridge. */
  readonly meshes: readonly string[]
  readonly incarnation: number
  /** Distinguishes processes of one identity; random by default. */
  readonly instance?: string
  /** Software version, for people. */
  readonly build: string
  /** Multiaddrs. */
  readonly seeds: readonly string[]
  readonly random: Random
  /** Milliseconds of silence after which a member is stale. */
  readonly stalenessMs: number
  readonly sweepMs: number
  /** Sweeps for stale members never run: an injected fault, of which the span of the start says nothing. */
  readonly holdsSweep?: boolean
  readonly digestMs: number
  readonly gossipDigestMs: number
  /** Whether it checks that streams open on its connections; true by default. */
  readonly watchdog?: boolean
  /** Target number of links. */
  readonly neighbours: number
  readonly connectionsHigh: number
  /** Connected peers above which it closes guests; `connectionsHigh` by default. */
  readonly connectionsLow?: number | undefined
  /** Its limits in force, each as name=value, and the bytes that all of them together allow. */
  readonly limitList?: readonly string[]
  readonly capsBytes?: number | undefined
  /** Counts the refusals of this node, those of its network included. */
  readonly limitSpans?: LimitSpans
}

/** Tolerated difference of clocks. Guess: well above NTP’s error, well below what confuses a reader of traces. */
const skewAllowedMs = 5_000
/** Timer lateness up to this is normal on a busy machine. */
const latenessMs = 250
/** A suspension of this fraction of the window suspends the expiry of members. */
const stallFraction = 0.25

/** Two bridges in a row and back are three hops; a copy may arrive until it leaves gossipsub’s seen cache. */
const relayOptions = { hopLimit: 4, takeoverMs: 2_000, seenTtlMs: 120_000 }

/** The node as one machine: routes events to its parts, and their effects to each other. */
export class MeshNode implements Machine<NodeEvent, NodeEffect> {
  readonly options: MeshNodeOptions
  readonly ledger: ConnectionLedger
  readonly view: DigestView
  readonly seeds: SeedDialler
  readonly dialBack: DialBack
  readonly #relay: BridgeRelay | undefined
  readonly #digest: OwnDigest
  readonly #identity: IdentityWatch
  readonly #instance: string
  readonly #neighbours: Neighbours
  readonly #paths: MemberPaths
  readonly #rounds: Rounds
  readonly #limits: LimitSpans
  #dueAt = Infinity
  #framesRefused = 0
  /** When the node last handled an event. */
  #lastEventAt = -Infinity
  #isStopping = false

  constructor(owner: Owner, options: MeshNodeOptions) {
    this.options = options
    const { self, random, stalenessMs, sweepMs, name, role, meshes, incarnation, build } = options
    const instance = options.instance ?? newTrace(random).spanId
    this.#instance = instance
    const hello = { meshes, name, role, incarnation, instance, build }
    const areRivals = (peer: string, a: string, b: string) => this.#identity.areRivals(peer, a, b)
    const { connectionsHigh, connectionsLow = connectionsHigh, limitSpans = new LimitSpans() } = options
    this.#limits = limitSpans
    const isNeeded = (peer: string) => this.seeds.seeds().some((seed) => seed.peer === peer)
    const places = { connectionsHigh, connectionsLow, isNeeded, limitSpans, watchdog: options.watchdog ?? true }
    const { admission, credentials, findFlaw } = options
    const closed = { admission, credentials, findFlaw }
    this.ledger = new ConnectionLedger(owner, { self, hello, random, areRivals, ...places, ...closed })
    const viewSweepMs = options.holdsSweep === true ? Infinity : sweepMs
    this.view = new DigestView(owner, { self, stalenessMs, sweepMs: viewSweepMs, random, skewAllowedMs, limitSpans })
    const memberIds = () => this.view.members().map(({ digest }) => digest.peer)
    this.seeds = new SeedDialler(options.seeds, { random, sampleJitter: () => rankAmong(self, memberIds(), random) })
    const reach = new ReachWatch(self, meshes, this.ledger, this.view)
    this.#digest = new OwnDigest(
      { ...options, instance, stalenessMs },
      this.ledger,
      () => reach.current,
      (now) => this.#identity.conflicts(now),
    )
    const own = { self, name, instance, addresses: () => this.#digest.addresses }
    this.#identity = new IdentityWatch(own, this.view, this.ledger)
    this.#neighbours = new Neighbours({ self, neighbours: options.neighbours, random }, this.view, this.ledger)
    this.#paths = new MemberPaths(this.view, this.ledger)
    this.dialBack = new DialBack(this.ledger, random)
    this.#rounds = new Rounds(random)
    if (meshes.length > 1) {
      const bridges = () => otherBridges(self, meshes, this.view)
      this.#relay = new BridgeRelay(owner, { self, meshes, ...relayOptions, bridges, limitSpans })
    }
  }

  /** Root span of the current window; undefined before the start. */
  get window(): TraceRef | undefined {
    return this.#rounds.window
  }

  /** Refusals since the start, by limit, those of the network included; for the census. */
  get limitCounts(): LimitSpans['counts'] {
    return this.#limits.counts
  }

  /** Well-formed frames that their sender was not allowed to send. */
  get framesRefused(): number {
    return this.#framesRefused
  }

  handle(event: NodeEvent, now: number): NodeEffect[] {
    const effects = concat(this.#noteLateness(now), this.#route(event, now))
    this.#dueAt = this.#earliestDeadline(now)
    return effects
  }

  deadline(): number {
    return this.#dueAt
  }

  /** A suspended process receives nothing, so its own lateness must not count as silence of its peers. */
  #noteLateness(now: number): NodeEffect[] {
    // Queued events arrive before the tick that updates the deadline: only the first of them counts the suspension.
    const lateMs = now - Math.max(this.#dueAt, this.#lastEventAt)
    this.#lastEventAt = now
    if (lateMs < latenessMs) return []
    const effects = this.#dispatchToLedger({ type: 'slept', ms: lateMs }, now)
    const { stalenessMs } = this.options
    if (lateMs < stalenessMs * stallFraction) return effects
    effects.push(emitNodeStalled(lateMs, stalenessMs))
    return [...effects, ...this.#dispatchToView({ type: 'stalled', untilMs: now + stalenessMs }, now)]
  }

  #route(event: NodeEvent, now: number): NodeEffect[] {
    switch (event.type) {
      case 'started':
        return this.#start(event.settings, now)
      case 'tick':
        return this.#tick(now)
      case 'stopping':
        this.#isStopping = true
        return this.#dispatchToLedger({ type: 'stopping' }, now)
      case 'profile':
      case 'leaving':
        return this.#digest.handle(event, now)
      case 'changed':
        return [{ do: 'observe' }]
      case 'frame':
        return concat(
          // The ledger needs the sighting to choose among the links of this peer.
          this.#noteSighting(this.#identity.onFrame(event.connection, event.frame, now), now),
          concat(this.#dispatchToLedger(event, now), this.#onFrame(event, now)),
        )
      case 'gossip':
        if (event.digest.peer !== event.from || !this.options.meshes.includes(event.mesh)) return []
        return this.#onGossip(event, now)
      case 'seed.answered':
        return this.seeds.handle(event, now)
      case 'seed.failed': {
        const linked = findLinkedPeer(event.seed, event.failure, this.seeds.seeds(), this.view, this.ledger)
        return this.seeds.handle({ ...event, linked }, now)
      }
      case 'peer.paths':
        return this.#paths.onTried(event)
      case 'peer.dialled':
        return this.#neighbours.handle(event, now)
      case 'listening':
      case 'dialled.back':
        return this.dialBack.handle(event, now)
      case 'limit.reached':
        return this.#limits.emit(event.limit, event.action, now)
      case 'crossing':
      case 'crossing.refused':
        return this.#relay?.handle(event, now) ?? []
      case 'trust.checked':
      case 'opened':
      case 'observed':
      case 'stream.open':
      case 'stream.slow':
      case 'stream.checked':
      case 'stream.absent':
      case 'stream.closed':
      case 'frame.refused':
      case 'connection.rejected':
      case 'gossip.unsent':
        return this.#dispatchToLedger(event, now)
    }
  }

  #start(settings: readonly string[], now: number): NodeEffect[] {
    this.#identity.own.onStarted(now)
    const startedSpan = emitNodeStarted({ ...this.options, instance: this.#instance, settings })
    return [...this.#rounds.handle({ type: 'started' }, now), startedSpan, ...this.#tick(now)]
  }

  #tick(now: number): NodeEffect[] {
    const effects: NodeEffect[] = this.#rounds.handle({ type: 'tick' }, now)
    effects.push(...this.#dispatchToLedger({ type: 'tick' }, now))
    if (this.#isStopping || this.window === undefined) return effects
    effects.push(...this.#dispatchToView({ type: 'tick', window: this.window }, now))
    effects.push(...this.#digest.handle({ type: 'tick' }, now))
    if (this.#identity.own.dialAfter(now) <= now) {
      const dials = [...this.seeds.handle({ type: 'tick' }, now), ...this.#neighbours.handle({ type: 'tick' }, now)]
      if (dials.some((effect) => effect.do !== 'emit-span')) this.#identity.own.onDialled(now)
      effects.push(...dials)
    }
    effects.push(...this.dialBack.handle({ type: 'tick' }, now))
    effects.push(...(this.#relay?.handle({ type: 'tick' }, now) ?? []))
    return effects
  }

  #onGossip({ digest, wall }: { digest: Digest; wall: number }, now: number): NodeEffect[] {
    if (digest.leaving === true) {
      const { peer, incarnation } = digest
      return this.#dispatchToView({ type: 'left', peer, incarnation, instance: instanceOf(digest), via: 'gossip' }, now)
    }
    const effects = this.#dispatchToView({ type: 'digest', digest, via: 'gossip', wall }, now)
    const sighted = this.#noteSighting(this.#identity.onGossip(digest, wall), now)
    return concat(effects, concat(sighted, this.#identity.onOwnSignature(digest, wall, now)))
  }

  #noteSighting(event: ViewEvent | undefined, now: number): NodeEffect[] {
    return event === undefined ? [] : this.#dispatchToView(event, now)
  }

  /** Handles frames about members. The ledger's `LinkProtocol` has handled those about the link before. */
  #onFrame({ connection, frame, wall }: { connection: string; frame: Frame; wall: number }, now: number): NodeEffect[] {
    switch (frame.type) {
      case 'hello':
        // The digest informs the second process of an identity about the first one.
        return this.#identity.isRefusedRival(connection) ? [this.#digest.sendFullDigest(connection, now)] : []
      case 'digest':
      case 'unchanged':
        return this.#onDigestFrame(connection, frame, wall, now)
      case 'dialback.request':
      case 'dialback.result':
        return this.dialBack.handle({ type: 'frame', connection, frame }, now)
      case 'credentials':
      case 'probe':
      case 'answer':
      case 'goodbye':
        return []
    }
  }

  #onDigestFrame(connection: string, frame: DigestFrame, wall: number, now: number): NodeEffect[] {
    const [record, link] = this.ledger.find(connection) ?? []
    if (record === undefined || link === undefined) return []
    const { peer } = record
    if (link.kind !== 'member') return this.#refuseFrame(connection, 'digest from a non-member', now)
    const isForged = frame.type === 'digest' && frame.digest.peer !== peer
    if (isForged) return this.#refuseFrame(connection, 'digest for another peer', now)
    const answer = this.#digest.handle({ type: 'heard', peer }, now)
    if (frame.type === 'unchanged') {
      const { type, incarnation, sequence } = frame
      return concat(this.#dispatchToView({ type, peer, incarnation, sequence }, now), answer)
    }
    const { digest } = frame
    const conflicts = this.#identity.onNeighbourDigest(digest, now)
    return [...this.#dispatchToView({ type: 'digest', digest, via: 'link', wall }, now), ...answer, ...conflicts]
  }

  #refuseFrame(connection: string, reason: string, now: number): NodeEffect[] {
    this.#framesRefused++
    return this.#dispatchToLedger({ type: 'frame.refused', connection, reason, isFlooding: false }, now)
  }

  #dispatchToLedger(event: LedgerEvent, now: number): NodeEffect[] {
    const before = this.ledger.size
    const effects = this.ledger.handle(event, now)
    const performed = effects.length === 0 ? [] : effects.flatMap((effect) => this.#onLedgerEffect(effect, now))
    const { size } = this.ledger
    if (size === before || this.#isStopping) return performed
    return [...performed, ...this.seeds.handle({ type: 'peers', count: size }, now)]
  }

  #onLedgerEffect(effect: LedgerEffect, now: number): NodeEffect[] {
    switch (effect.do) {
      case 'joined':
        return this.#digest.handle({ type: 'joined', peer: effect.peer }, now)
      case 'left':
        return this.#dispatchToView({ ...effect, type: 'left', via: 'link' }, now)
      case 'disconnected':
        if (this.#isStopping) return []
        return [
          ...this.#neighbours.handle({ type: 'disconnected', peer: effect.peer }, now),
          ...this.seeds.handle({ type: 'disconnected', peer: effect.peer }, now),
        ]
      case 'open':
      case 'send':
      case 'close':
      case 'heal':
      case 'identify':
      case 'check':
      case 'admit':
      case 'observe':
      case 'emit-span':
        return [effect]
    }
  }

  #dispatchToView(event: ViewEvent, now: number): NodeEffect[] {
    const effects = this.view.handle(event, now)
    return effects.length === 0 ? [] : effects.flatMap((effect) => this.#onViewEffect(effect, now))
  }

  #onViewEffect(effect: ViewEffect, now: number): NodeEffect[] {
    switch (effect.do) {
      case 'joined':
        return [
          ...this.#neighbours.handle({ type: 'joined', peer: effect.peer }, now),
          ...this.#paths.onMember(effect.peer),
          ...this.#digest.handle({ type: 'member.discovered' }, now),
        ]
      case 'renewed':
        return this.#neighbours.handle({ ...effect, type: 'renewed' }, now)
      case 'emit-span':
        return [effect]
    }
  }

  #earliestDeadline(now: number): number {
    const dueAt = Math.min(this.ledger.deadline(), this.#rounds.deadline())
    if (this.#isStopping || this.window === undefined) return dueAt
    const dialDeadline = Math.min(this.seeds.deadline(), this.#neighbours.deadline())
    const dialAt = Math.max(dialDeadline, this.#identity.own.dialAfter(now))
    return Math.min(dueAt, dialAt, this.view.deadline(), this.#digest.deadline(), this.#relay?.deadline() ?? Infinity)
  }
}
