import type { ConnectionInfo, RejectionReason } from './events.ts'
import { GossipKeeper } from './gossip-keeper.ts'
import { Grudges } from './grudges.ts'
import type { LedgerCounts, LedgerEffect, LedgerEvent, LedgerOptions, LinkEvent } from './ledger-events.ts'
import { LimitSpans } from './limit-spans.ts'
import { limits } from './limits.ts'
import { enter, isActive, isJoined, isRelayed, Link, noteObserved } from './link.ts'
import { LinkProtocol } from './link-protocol.ts'
import type { Machine } from './machine.ts'
import type { Owner } from './owner.ts'
import { type PeerRecord, PeerRecords } from './peer-records.ts'
import { type RefusalReason, Refusals } from './refusals.ts'
import { emitConnectionClosed, emitConnectionSuperseded, emitFrameRefused, emitGossipUnsent } from './spans/link.ts'
import {
  type AreRivals,
  carriesLink,
  hasLoserEnded,
  type Judgement,
  judgeGuestLinks,
  judgeMemberLinks,
} from './survivor.ts'
import { chooseTrimmed, trimIntervalMs } from './trim.ts'

/**
 * The connected peers and their links. Snapshots reconcile it, so a missed callback only delays an update. It removes
 * links by connection id, so a late close of an old link cannot remove its successor.
 */
export class ConnectionLedger implements Machine<LedgerEvent, LedgerEffect> {
  /** Whom it refuses; the guard of gossipsub remembers penalties in the same list. */
  readonly grudges: Grudges
  readonly #self: string
  readonly #protocol: LinkProtocol
  readonly #peers: PeerRecords
  readonly #refusals: Refusals
  readonly #connectionsHigh: number
  readonly #connectionsLow: number
  readonly #isNeeded: (peer: string) => boolean
  readonly #areRivals: AreRivals
  readonly #limits: LimitSpans
  readonly #keeper: GossipKeeper
  #isStopping = false
  /** When it may next close guests above `#connectionsLow`. */
  #trimAt = -Infinity

  constructor(owner: Owner, options: LedgerOptions) {
    this.#self = options.self
    this.#protocol = new LinkProtocol(options)
    this.#keeper = new GossipKeeper(options.self, this.#protocol)
    this.#connectionsHigh = options.connectionsHigh ?? limits.peers
    this.#connectionsLow = options.connectionsLow ?? this.#connectionsHigh
    this.#isNeeded = options.isNeeded ?? (() => false)
    this.#limits = options.limitSpans ?? new LimitSpans()
    this.grudges = new Grudges(owner, this.#limits)
    this.#areRivals = options.areRivals ?? (() => false)
    this.#peers = new PeerRecords(owner, this.#connectionsHigh, (record) => this.#dueAt(record))
    this.#refusals = new Refusals(owner, options.random)
  }

  handle(event: LedgerEvent, now: number): LedgerEffect[] {
    switch (event.type) {
      case 'opened':
        return this.#addOpened(event.connection, now)
      case 'observed':
        return this.#updated(this.#reconcile(event.connections, now))
      case 'tick':
        return this.#tick(now)
      case 'slept':
        return this.#updated(this.#forgiveSilence(event.ms))
      case 'stopping':
        this.#isStopping = true
        return this.#updated(
          this.#each((peer, link) => (isRelayed(link) ? [] : this.#protocol.endLink(peer, link, 'stopping', now))),
        )
      case 'trust.checked':
        return this.#updated(this.#checkCredentials(event.hasChanged, now))
      case 'gossip.unsent':
        return [emitGossipUnsent(event)]
      case 'stream.open':
      case 'stream.slow':
      case 'stream.checked':
      case 'stream.absent':
      case 'stream.closed':
      case 'frame':
      case 'frame.refused':
      case 'connection.rejected':
        return this.#handleLinkEvent(event, now)
    }
  }

  deadline(): number {
    const trimAt = this.#excess > 0 ? this.#trimAt : Infinity
    return Math.min(this.#peers.deadline(), this.#refusals.deadline(), trimAt)
  }

  get counts(): LedgerCounts {
    return { ...this.#peers.counts, refused: this.#refusals.counts }
  }

  /** Refused connections that are still open. */
  refused(): Iterable<Link> {
    return this.#refusals.values()
  }

  isLinked(peer: string): boolean {
    return this.#peers.get(peer)?.isLinked === true
  }

  /** Whether a peer is connected without a joined link: a guest, or one that has not said hello yet. */
  get hasUnlinkedPeers(): boolean {
    return this.#peers.linkedPeers.length < this.#peers.size
  }

  /** Peers with a joined link; the same array until one joins or leaves. */
  get linkedPeers(): readonly string[] {
    return this.#peers.linkedPeers
  }

  get(peer: string): PeerRecord | undefined {
    return this.#peers.get(peer)
  }

  records(): Iterable<PeerRecord> {
    return this.#peers.values()
  }

  /** Number of connected peers, members and guests; peers connected through relays only do not count. */
  get size(): number {
    return this.#peers.places
  }

  /** Whether a direct connection to this peer exists. */
  isConnected(peer: string): boolean {
    return this.#peers.get(peer)?.links.some((link) => !isRelayed(link)) === true
  }

  /** The one link that carries frames to this peer. */
  joinedLink(peer: string): Link | undefined {
    return this.#peers.get(peer)?.links.find(isJoined)
  }

  find(connection: string): readonly [PeerRecord, Link] | undefined {
    return this.#peers.find(connection)
  }

  #dueAt(record: PeerRecord): number {
    let earliest = this.#isStopping ? Infinity : this.#keeper.dueAt(record)
    for (const link of record.links) earliest = Math.min(earliest, this.#protocol.dueAt(record.peer, link))
    return earliest
  }

  #tick(now: number): LedgerEffect[] {
    const effects: LedgerEffect[] = this.#refusals.tick(now)
    let needsSnapshot = this.#excess > 0 && this.#trimAt <= now
    for (const record of this.#peers.takeDue(now)) {
      for (const link of record.links)
        if (this.#protocol.dueAt(record.peer, link) <= now) effects.push(...this.#onDue(record, link, now))
      needsSnapshot ||= !this.#isStopping && this.#keeper.dueAt(record) <= now
      this.#peers.update(record)
    }
    return needsSnapshot ? [...effects, { do: 'observe' }] : effects
  }

  #updated(effects: LedgerEffect[]): LedgerEffect[] {
    this.#peers.updateAll()
    return effects
  }

  #each(act: (peer: string, link: Link) => LedgerEffect[]): LedgerEffect[] {
    const records = [...this.#peers.values()]
    return records.flatMap(({ peer, links }) => links.flatMap((link) => act(peer, link)))
  }

  #reconcile(connections: readonly ConnectionInfo[], now: number): LedgerEffect[] {
    const present = new Set(connections.map((info) => info.id))
    const effects = this.#each((peer, link) => (present.has(link.connection) ? [] : this.#onClosed(peer, link, now)))
    effects.push(...this.#refusals.reconcile(present, now))
    for (const info of connections) {
      if (this.#refusals.has(info.id)) continue
      const link = this.#peers.get(info.peer)?.links.find((one) => one.connection === info.id)
      if (link !== undefined) noteObserved(link, info)
      if (link === undefined) effects.push(...this.#onOpened(info, now))
    }
    if (this.#isStopping) return effects
    effects.push(...this.#trim(connections, now))
    return [...effects, ...this.#keeper.check([...this.#peers.values()], connections, now)]
  }

  /** Connected peers above `connectionsLow`. */
  get #excess(): number {
    return this.#isStopping ? 0 : this.#peers.places - this.#connectionsLow
  }

  #trim(connections: readonly ConnectionInfo[], now: number): LedgerEffect[] {
    if (this.#excess <= 0 || now < this.#trimAt) return []
    this.#trimAt = now + trimIntervalMs
    const trimmed = chooseTrimmed(this.#peers.values(), connections, this.#excess, this.#isNeeded, now)
    return trimmed.flatMap(({ peer, links }) => [
      ...this.#limits.emit('peersLow', 'closed', now, { peer, value: this.#connectionsLow }),
      ...links.flatMap((link) => (isRelayed(link) ? [] : this.#protocol.dropLink(link, 'limit', false, now))),
    ])
  }

  /** Costs the same in any mesh; the next snapshot finds the connection known. */
  #addOpened(info: ConnectionInfo, now: number): LedgerEffect[] {
    // A snapshot may have shown the connection before its event.
    const isKnown = this.find(info.id) !== undefined || this.#refusals.has(info.id)
    const effects = isKnown ? [] : this.#onOpened(info, now)
    const record = this.#peers.get(info.peer)
    if (record !== undefined) this.#peers.update(record)
    return effects
  }

  #onOpened(info: ConnectionInfo, now: number): LedgerEffect[] {
    if (info.isLimited === true) return this.#addRelayed(info, now)
    const refuse = (reason: RefusalReason) => this.#refusals.refuse(info, reason, now)
    if (this.#isStopping) return refuse('stopping')
    // Its own dials have a backoff, and a foreign connection would stay open without a link.
    const isJudged = info.direction === 'inbound' && info.isForeign !== true
    const offence = isJudged ? this.grudges.offenceOf(info.peer, now) : undefined
    if (offence !== undefined) return refuse(offence)
    const record = this.#peers.getOrCreate(info.peer)
    const direct = record.links.filter((link) => !isRelayed(link))
    const isOverLimit = direct.length > 0 ? record.isOverLimit : this.#peers.isFull
    const emittedSpans = isOverLimit
      ? this.#limits.emit('peers', 'refused', now, { peer: info.peer, value: this.#connectionsHigh })
      : []
    // A goodbye needs the hello of the dialler; a connection that this node dialled needs no goodbye.
    const cannotNotify = info.direction === 'outbound' || (direct.length === 0 && !this.#peers.hasRoomToNotify)
    if (isOverLimit && cannotNotify) return [...emittedSpans, ...refuse('limit')]
    if (direct.length >= limits.linksPerPeer)
      return [...this.#limits.emit('linksPerPeer', 'refused', now, { peer: info.peer }), ...refuse('links-per-peer')]
    if (info.isForeign === true && info.direction === 'outbound' && direct.some(carriesLink)) return refuse('duplicate')
    const link = new Link(info, now)
    link.isOverLimit = isOverLimit
    record.isOverLimit = isOverLimit
    this.#peers.add(record, link, now)
    if (isOverLimit) return emittedSpans
    return info.direction === 'outbound'
      ? this.#protocol.onDialled(info.peer, link)
      : this.#supersedeGuests(record, now)
  }

  /**
   * Lists a relayed connection as a guest at once: it opens no stream, closes nothing and takes no place. Beyond the
   * limit it stays open, and unlisted: the mesh closes no relayed connection.
   */
  #addRelayed(info: ConnectionInfo, now: number): LedgerEffect[] {
    const record = this.#peers.getOrCreate(info.peer)
    if (this.#isStopping) return []
    if (!this.#peers.hasRoomForRelayed(record))
      return this.#limits.emit('relayedPeers', 'refused', now, { peer: info.peer })
    const link = new Link(info, now)
    this.#peers.add(record, link, now)
    return this.#protocol.acceptGuest(info.peer, link, now)
  }

  #onClosed(peer: string, link: Link, now: number): LedgerEffect[] {
    const record = this.#peers.get(peer)
    if (record === undefined) return []
    const effects: LedgerEffect[] = [
      ...this.#protocol.ensureOpenedSpan(peer, link),
      emitConnectionClosed(peer, link, now),
    ]
    return this.#peers.remove(record, link) ? [...effects, { do: 'disconnected', peer }] : effects
  }

  #handleLinkEvent(event: LinkEvent, now: number): LedgerEffect[] {
    const entry = this.find(event.connection)
    if (entry === undefined) return []
    const [record, link] = entry
    const effects = this.#takeLinkEvent(record, link, event, now)
    this.#peers.update(record)
    return effects
  }

  #takeLinkEvent(record: PeerRecord, link: Link, event: LinkEvent, now: number): LedgerEffect[] {
    switch (event.type) {
      case 'stream.open':
        return this.#protocol.onStreamOpen(link, now)
      case 'stream.slow':
        return isActive(link) ? this.#protocol.checkStreams(link, now, event) : []
      case 'stream.checked':
        return this.#protocol.onChecked(record.peer, link, event.hasOpened, now)
      case 'stream.absent':
        this.#protocol.scheduleReopen(link, now)
        return [...this.#acceptGuest(record, link, now), ...this.#supersedeGuests(record, now)]
      case 'stream.closed':
        this.#protocol.scheduleReopen(link, now)
        return isJoined(link) ? this.#protocol.endLink(record.peer, link, 'transport', now) : []
      case 'connection.rejected':
        return this.#rejectConnection(record.peer, link, event.reason, now)
      case 'frame.refused':
        return this.#refuseFrame(record.peer, link, event, now)
      case 'frame':
        return this.#receiveFrame(record, link, event, now)
    }
  }

  #receiveFrame(
    record: PeerRecord,
    link: Link,
    { frame, proof }: Pick<Extract<LinkEvent, { type: 'frame' }>, 'frame' | 'proof'>,
    now: number,
  ): LedgerEffect[] {
    const wasJoined = isJoined(link)
    const effects: LedgerEffect[] = this.#protocol.onFrame(record.peer, link, frame, now, proof)
    if (wasJoined || !isJoined(link)) return effects
    for (const judgement of judgeMemberLinks(this.#self, record, this.#areRivals))
      effects.push(...this.#supersede(record.peer, judgement, now))
    if (isJoined(link)) effects.push({ do: 'joined', peer: record.peer })
    return effects
  }

  #checkCredentials(hasChanged: boolean, now: number): LedgerEffect[] {
    return this.#each((peer, link) => {
      const ended = this.#protocol.checkCredentials(peer, link, now)
      return hasChanged && isJoined(link) ? [...ended, ...this.#protocol.showCredentials(link)] : ended
    })
  }

  #refuseFrame(peer: string, link: Link, event: { reason: string; isFlooding: boolean }, now: number): LedgerEffect[] {
    // One chunk may contain many bad frames; the first one closes the link and emits the span.
    if (link.state === 'closing') return []
    const reason = event.isFlooding ? 'flooding' : 'bad-frame'
    return [
      emitFrameRefused(peer, link, event.reason),
      ...this.grudges.noteOffence(peer, reason, now),
      ...this.#protocol.endLink(peer, link, reason, now),
    ]
  }

  /** Such a connection cannot carry a goodbye. */
  #rejectConnection(peer: string, link: Link, reason: RejectionReason, now: number): LedgerEffect[] {
    if (link.state === 'closing') return []
    const effects: LedgerEffect[] = [
      ...this.#protocol.ensureOpenedSpan(peer, link),
      ...this.#protocol.dropLink(link, reason, true, now),
    ]
    return reason === 'limit' ? [...this.#limits.emit('linkOutBytes', 'closed', now, { peer }), ...effects] : effects
  }

  #supersede(peer: string, judgement: Judgement, now: number): LedgerEffect[] {
    const { winner, loser, rule } = judgement
    const span = emitConnectionSuperseded(peer, loser, winner, rule)
    enter(loser, 'draining', now)
    return hasLoserEnded(judgement) ? [span, ...this.#protocol.dropLink(loser, 'superseded', true, now)] : [span]
  }

  #onDue(record: PeerRecord, link: Link, now: number): LedgerEffect[] {
    const isOverdue = link.state === 'opening' && !link.isOverLimit && link.reopenAt > now
    return isOverdue ? this.#acceptGuest(record, link, now) : this.#protocol.onDue(record.peer, link, now)
  }

  /** A member that already has a link does not become a guest because its application opened this connection. */
  #acceptGuest(record: PeerRecord, link: Link, now: number): LedgerEffect[] {
    if (link.isOverLimit) return this.#protocol.endLink(record.peer, link, 'limit', now)
    const hasMemberLink = link.kind === 'unsettled' && isActive(link) && record.links.some(isJoined)
    if (!hasMemberLink) return this.#protocol.acceptGuest(record.peer, link, now)
    return [
      ...this.#protocol.ensureOpenedSpan(record.peer, link),
      ...this.#protocol.dropLink(link, 'duplicate', false, now),
    ]
  }

  #supersedeGuests({ peer, links }: PeerRecord, now: number): LedgerEffect[] {
    return judgeGuestLinks(links).flatMap((judgement) => this.#supersede(peer, judgement, now))
  }

  #forgiveSilence(ms: number): LedgerEffect[] {
    return this.#each((_, link) => {
      link.heardAt += ms
      link.enteredAt += ms
      if (link.probedAt !== undefined) link.probedAt += ms
      link.check.forgive(ms)
      return []
    })
  }
}
