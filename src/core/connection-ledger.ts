import { tell } from '../catalogue/tell.ts'
import { observedHost } from './address.ts'
import type { ConnectionFact, NetworkEvent, Unfit } from './events.ts'
import type { Frame } from './frames.ts'
import { LimitTells } from './limit-tells.ts'
import { limits } from './limits.ts'
import { enter, isJoined, isRelayed, isStanding, type Link, newLink } from './link.ts'
import * as spans from './link-spans.ts'
import { LinkTalk, type TalkEffect, type TalkOptions } from './link-talk.ts'
import type { Machine } from './machine.ts'
import type { OwnedMap } from './owned-map.ts'
import type { Owner } from './owner.ts'
import { incumbent, instancesOf, type Judgement, type SurvivorRule, survivor } from './survivor.ts'

export type LedgerEvent =
  /** All connections that libp2p holds now: the ledger is levelled to it. */
  | { readonly type: 'observed'; readonly connections: readonly ConnectionFact[] }
  | { readonly type: 'stream.open' | 'stream.absent' | 'stream.closed'; readonly connection: string }
  | { readonly type: 'frame'; readonly connection: string; readonly frame: Frame }
  | { readonly type: 'frame.refused'; readonly connection: string; readonly reason: string; readonly flooding: boolean }
  | Extract<NetworkEvent, { readonly type: 'connection.unfit' }>
  /** We did not run for `ms`: nobody’s silence of that time counts. */
  | { readonly type: 'slept'; readonly ms: number }
  | { readonly type: 'stopping' }
  | { readonly type: 'tick' }

/** `disconnected`: the last connection to the peer is gone. */
export type LedgerEffect = TalkEffect | { readonly do: 'disconnected'; readonly peer: string }

export interface LedgerOptions extends TalkOptions {
  /** Connected peers at most. */
  readonly peersMax?: number
  /** Whether two processes of this peer are known to run at the same time. */
  readonly areRivals?: (peer: string, a: string, b: string) => boolean
}

/** One record per peer: everything about it that is not in its digest. */
export interface PeerRecord {
  readonly peer: string
  links: readonly Link[]
  /** There was no room for it: all its connections will be closed. */
  turnedAway: boolean
}

/** Peers beyond the bound that are held for as long as it takes to say so; any more are closed without a word. Guess. */
export const turnedAwayMax = 8

/**
 * Re-identifying makes gossipsub open its stream again; each heal costs a stream, so they are few, and spaced twice as
 * far each time: the first may come before gossipsub has noticed that it lost something.
 */
const healAgainMs = 250
const healsMax = 5

/**
 * Who is connected, and how: levelled by snapshots, so a missed callback costs time and nothing else. Removal is by
 * connection id, so an old link that ends late cannot take its successor with it.
 */
export class ConnectionLedger implements Machine<LedgerEvent, LedgerEffect> {
  readonly #self: string
  readonly #talk: LinkTalk
  readonly #peers: OwnedMap<string, PeerRecord>
  readonly #peersMax: number
  readonly #areRivals: (peer: string, a: string, b: string) => boolean
  readonly #limits = new LimitTells()
  /** Peers with a connection that no relay carries. */
  #places = 0
  #stopping = false
  #limitToldAt = -Infinity

  constructor(owner: Owner, options: LedgerOptions) {
    this.#self = options.self
    this.#talk = new LinkTalk(options)
    this.#peersMax = options.peersMax ?? limits.peers
    this.#areRivals = options.areRivals ?? (() => false)
    this.#peers = owner.map<string, PeerRecord>({
      name: 'peers',
      capacity: this.#peersMax + turnedAwayMax + limits.relayedPeers,
      leavesBy: { event: 'its last connection is gone' },
      release: () => {},
    })
  }

  handle(event: LedgerEvent, now: number): LedgerEffect[] {
    switch (event.type) {
      case 'observed':
        return this.#level(event.connections, now)
      case 'tick':
        return this.#each((peer, link) => (this.#talk.dueAt(peer, link) <= now ? this.#due(peer, link, now) : []))
      case 'slept':
        return this.#forgive(event.ms)
      case 'stopping':
        this.#stopping = true
        return this.#each((peer, link) => (isRelayed(link) ? [] : this.#talk.end(peer, link, 'stopping', now)))
      default:
        return this.#onLink(event, now)
    }
  }

  deadline(): number {
    let earliest = Infinity
    for (const { peer, links } of this.#peers.values())
      for (const link of links) earliest = Math.min(earliest, this.#talk.dueAt(peer, link))
    return earliest
  }

  get(peer: string): PeerRecord | undefined {
    return this.#peers.get(peer)
  }

  records(): Iterable<PeerRecord> {
    return this.#peers.values()
  }

  /** Connected peers, members and guests; those behind relays do not count. */
  get size(): number {
    return this.#places
  }

  /** Whether there is a connection to this peer that no relay carries. */
  isConnected(peer: string): boolean {
    return this.#peers.get(peer)?.links.some((link) => !isRelayed(link)) === true
  }

  /** The one link that carries frames to this peer. */
  joined(peer: string): Link | undefined {
    return this.#peers.get(peer)?.links.find(isJoined)
  }

  /** Whose connection this is. */
  peerOf(connection: string): string | undefined {
    return this.find(connection)?.[0].peer
  }

  /** Whether the peer at the other end of this connection has said a hello that was accepted. */
  isMember(connection: string): boolean {
    return this.find(connection)?.[1].kind === 'member'
  }

  #each(act: (peer: string, link: Link) => LedgerEffect[]): LedgerEffect[] {
    const records = [...this.#peers.values()]
    return records.flatMap(({ peer, links }) => links.flatMap((link) => act(peer, link)))
  }

  #level(connections: readonly ConnectionFact[], now: number): LedgerEffect[] {
    const present = new Set(connections.map((fact) => fact.id))
    const effects = this.#each((peer, link) => (present.has(link.connection) ? [] : this.#closed(peer, link, now)))
    for (const fact of connections) {
      const link = this.#peers.get(fact.peer)?.links.find((one) => one.connection === fact.id)
      if (link !== undefined) link.observedHost = observedHost(fact)
      effects.push(...(link === undefined ? this.#opened(fact, now) : heal(link, fact, now)))
    }
    return effects
  }

  #opened(fact: ConnectionFact, now: number): LedgerEffect[] {
    if (fact.limited === true) return this.#relayed(fact, now)
    const close: LedgerEffect = { do: 'close', connection: fact.id, abort: false }
    if (this.#stopping) return [close]
    const held = this.#peers.get(fact.peer)
    const direct = held?.links.filter((link) => !isRelayed(link)) ?? []
    const hasPlace = held !== undefined && direct.length > 0
    const turnedAway = hasPlace ? held.turnedAway : this.#places >= this.#peersMax
    const record = held ?? { peer: fact.peer, links: [], turnedAway }
    const told = turnedAway ? this.#tellLimit(fact, 'peers', now) : []
    // Only a dialler that says hello can be told; what we dialled ourselves needs no word.
    const deaf = fact.direction === 'outbound' || (!hasPlace && this.#places >= this.#peersMax + turnedAwayMax)
    if (turnedAway && deaf) return [...told, close]
    if (direct.length >= limits.linksPerPeer) return [...this.#tellLimit(fact, 'linksPerPeer', now), close]
    // The application wanted a second connection, for itself: a temporary one would only end the link with it.
    if (fact.foreign === true && fact.direction === 'outbound' && direct.some(carriesLink)) return [close]
    const link = newLink(fact, now)
    link.turnedAway = turnedAway
    record.turnedAway = turnedAway
    record.links = [...record.links, link]
    if (!hasPlace) this.#places++
    this.#peers.set(fact.peer, record, now)
    if (turnedAway) return told
    return fact.direction === 'outbound' ? this.#talk.dialled(fact.peer, link) : this.#newestGuest(record, now)
  }

  /** A relayed connection is listed as a guest at once: no stream is opened, nothing is closed, no place is taken. */
  #relayed(fact: ConnectionFact, now: number): LedgerEffect[] {
    const held = this.#peers.get(fact.peer)
    const record = held ?? { peer: fact.peer, links: [], turnedAway: false }
    const relayed = record.links.filter(isRelayed).length
    const full = relayed === 0 && this.#relayedPeers() >= limits.relayedPeers
    if (this.#stopping || full || relayed >= limits.linksPerPeer) return []
    const link = newLink(fact, now)
    record.links = [...record.links, link]
    this.#peers.set(fact.peer, record, now)
    return this.#talk.guest(fact.peer, link, now)
  }

  #relayedPeers(): number {
    return [...this.#peers.values()].filter(({ links }) => links.some(isRelayed)).length
  }

  #tellLimit(fact: ConnectionFact, limit: 'peers' | 'linksPerPeer', now: number): LedgerEffect[] {
    if (now - this.#limitToldAt < 1_000) return []
    this.#limitToldAt = now
    const value = limit === 'peers' ? this.#peersMax : limits[limit]
    const attributes = { 'mesh.limit.name': limit, 'mesh.limit.value': value, 'mesh.limit.action': 'refused' } as const
    return [tell('mesh.limit.reached', { ...attributes, 'mesh.peer.id': fact.peer })]
  }

  #closed(peer: string, link: Link, now: number): LedgerEffect[] {
    const record = this.#peers.get(peer)
    if (record === undefined) return []
    const effects: LedgerEffect[] = [...this.#talk.bear(peer, link), spans.tellClosed(peer, link, now)]
    record.links = record.links.filter((one) => one.connection !== link.connection)
    if (record.links.length === 0) this.#peers.deleteIf(peer, (held) => held === record)
    if (isRelayed(link) || !record.links.every(isRelayed)) return effects
    this.#places--
    return [...effects, { do: 'disconnected', peer }]
  }

  #onLink(event: Extract<LedgerEvent, { connection: string }>, now: number): LedgerEffect[] {
    const found = this.find(event.connection)
    if (found === undefined) return []
    const [record, link] = found
    switch (event.type) {
      case 'stream.open':
        return this.#talk.greet(link, now)
      case 'stream.absent':
        this.#talk.streamFailed(link, now)
        return [...this.#guest(record, link, now), ...this.#newestGuest(record, now)]
      case 'stream.closed':
        this.#talk.streamFailed(link, now)
        return isJoined(link) ? this.#talk.end(record.peer, link, 'transport', now) : []
      case 'connection.unfit':
        return this.#unfit(record.peer, link, event.reason, now)
      case 'frame.refused':
        return this.#refused(record.peer, link, event, now)
      case 'frame':
        return this.#frame(record, link, event.frame, now)
    }
  }

  #frame(record: PeerRecord, link: Link, frame: Frame, now: number): LedgerEffect[] {
    const before = isJoined(link)
    const effects: LedgerEffect[] = this.#talk.frame(record.peer, link, frame, now)
    if (before || !isJoined(link)) return effects
    effects.push(...this.#settle(record, now))
    if (isJoined(link)) effects.push({ do: 'joined', peer: record.peer })
    return effects
  }

  #refused(peer: string, link: Link, event: { reason: string; flooding: boolean }, now: number): LedgerEffect[] {
    // One chunk may hold many bad frames; the first one ends the link, and says all there is to say.
    if (link.state === 'closing') return []
    const attributes = {
      'mesh.connection.id': link.connection,
      'mesh.peer.id': peer,
      'mesh.frame.reason': event.reason,
    }
    const told = tell('mesh.frame.refused', attributes)
    return [told, ...this.#talk.end(peer, link, event.flooding ? 'flooding' : 'bad-frame', now)]
  }

  /** Nothing can be said over it, so it goes without goodbye. */
  #unfit(peer: string, link: Link, reason: Unfit, now: number): LedgerEffect[] {
    if (link.state === 'closing') return []
    const effects: LedgerEffect[] = [...this.#talk.bear(peer, link), ...this.#talk.drop(link, reason, true, now)]
    return reason === 'limit' ? [...this.#limits.told('linkOutBytes', 'closed', now, peer), ...effects] : effects
  }

  /** Of several joined links one stays. */
  #settle(record: PeerRecord, now: number): LedgerEffect[] {
    const effects: LedgerEffect[] = []
    let best: Link | undefined
    for (const link of record.links.filter(isJoined)) {
      if (best === undefined) best = link
      else {
        const { stays, goes, rule } = this.#judge(record.peer, best, link)
        effects.push(...this.#supersede(record.peer, goes, stays, rule, now))
        best = stays
      }
    }
    return effects
  }

  #judge(peer: string, a: Link, b: Link): Judgement {
    const instances = instancesOf(a, b)
    const rivals = instances !== undefined && this.#areRivals(peer, ...instances)
    return rivals ? incumbent(a, b) : survivor(this.#self, peer, a, b)
  }

  #supersede(peer: string, goes: Link, stays: Link, rule: SurvivorRule, now: number): LedgerEffect[] {
    const told = spans.tellSuperseded(peer, goes, stays, rule)
    enter(goes, 'draining', now)
    const nobodyThere = rule === 'incarnation' || rule === 'newer'
    return nobodyThere ? [told, ...this.#talk.drop(goes, 'superseded', true, now)] : [told]
  }

  #due(peer: string, link: Link, now: number): LedgerEffect[] {
    const record = this.#peers.get(peer)
    const silent = link.state === 'opening' && !link.turnedAway && link.reopenAt > now
    return silent && record !== undefined ? this.#guest(record, link, now) : this.#talk.due(peer, link, now)
  }

  /** A member has a link already: its application uses this connection, and it is no guest for that. */
  #guest(record: PeerRecord, link: Link, now: number): LedgerEffect[] {
    const beside = link.kind === 'unsettled' && isStanding(link) && record.links.some(isJoined)
    if (!beside) return this.#talk.guest(record.peer, link, now)
    return [...this.#talk.bear(record.peer, link), ...this.#talk.drop(link, 'duplicate', false, now)]
  }

  /**
   * A guest that comes back after a crash leaves its old connection open for as long as QUIC’s idle timeout, and
   * gossipsub on it. Of the connections that a guest dialled the newest stays.
   */
  #newestGuest(record: PeerRecord, now: number): LedgerEffect[] {
    const dialled = record.links.filter(
      (link) => isStanding(link) && !isRelayed(link) && link.fact.direction === 'inbound' && !link.hello,
    )
    const newest = dialled.at(-1)
    if (newest === undefined) return []
    const older = dialled.filter((link) => link !== newest && link.kind === 'guest' && link.fact.foreign !== true)
    return older.flatMap((link) => this.#supersede(record.peer, link, newest, 'newer', now))
  }

  #forgive(ms: number): LedgerEffect[] {
    return this.#each((_, link) => {
      link.heardAt += ms
      link.stateAt += ms
      if (link.probedAt !== undefined) link.probedAt += ms
      return []
    })
  }

  find(connection: string): [PeerRecord, Link] | undefined {
    for (const record of this.#peers.values())
      for (const link of record.links) if (link.connection === connection) return [record, link]
    return undefined
  }
}

/** It is the link to a member, or it is known soon whether it is. */
function carriesLink(link: Link): boolean {
  if (!isStanding(link) || link.turnedAway) return false
  return link.kind === 'member' || (link.kind === 'unsettled' && link.fact.direction === 'outbound')
}

/** Gossipsub never opens a lost outbound stream again by itself. */
function heal(link: Link, fact: ConnectionFact, now: number): LedgerEffect[] {
  if (fact.gossip === 'open') link.heals = 0
  const due =
    fact.gossip === 'missing' &&
    isStanding(link) &&
    !isRelayed(link) &&
    now - link.healedAt >= healAgainMs * 2 ** link.heals
  if (!due || link.heals >= healsMax) return []
  link.healedAt = now
  link.heals++
  return [{ do: 'heal', connection: link.connection }, spans.tellHealed(fact.peer, link)]
}
