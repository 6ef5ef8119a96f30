import type { ConnectionInfo, NetworkEffect } from './events.ts'
import type { GossipRepair, RepairStep } from './gossip-repair.ts'
import { isActive, isRelayed, type Link } from './link.ts'
import type { LinkProtocol, LinkProtocolEffect } from './link-protocol.ts'
import { emitGossipHealed, emitGossipMute, emitIdentifyRetried } from './spans/link.ts'

/** The gossip-related part of a peer record. */
export interface GossipPeer {
  readonly peer: string
  readonly links: readonly Link[]
  readonly isOverLimit: boolean
  readonly repair: GossipRepair
}

export type GossipKeeperEffect =
  | LinkProtocolEffect
  | Extract<NetworkEffect, { readonly do: 'heal' | 'identify' }>
  | { readonly do: 'observe' }

/** Each heal costs both ends an identify and a stream, so more of them would overload a busy machine. */
const maxConcurrentHeals = 4
/** Shortest time between two closes for mute gossip with one peer, since a new connection may not help either. */
const closeIntervalMs = 300_000
const maxRecentCloses = 64

const identifyProtocol = '/ipfs/id/1.0.0'

interface RecentClose {
  readonly peer: string
  readonly at: number
}

type GivenUp = Extract<RepairStep, { readonly do: 'give-up' }>

/** An active link with its connection in the current snapshot. */
interface ActiveLink {
  readonly link: Link
  readonly info: ConnectionInfo
}

/** Keeps gossip working with all connected peers: it retries identify, heals, and closes if neither helps. */
export class GossipKeeper {
  readonly #self: string
  readonly #protocol: Pick<LinkProtocol, 'endLink' | 'checkStreams'>
  #recentCloses: readonly RecentClose[] = []

  constructor(self: string, protocol: Pick<LinkProtocol, 'endLink' | 'checkStreams'>) {
    this.#self = self
    this.#protocol = protocol
  }

  /** When the next check of this peer is due: it needs a snapshot of the connections. */
  dueAt({ repair, links }: GossipPeer): number {
    let earliest = repair.dueAt
    for (const link of links)
      if (link.awaitsIdentify && isActive(link) && !isRelayed(link)) earliest = Math.min(earliest, link.identify.dueAt)
    return earliest
  }

  check(peers: readonly GossipPeer[], infos: readonly ConnectionInfo[], now: number): GossipKeeperEffect[] {
    const byId = new Map<string, ConnectionInfo>()
    for (const info of infos) byId.set(info.id, info)
    let healCount = peers.filter(({ repair }) => repair.isHealing(now)).length
    return peers.flatMap((record) => {
      const active = record.isOverLimit ? [] : activeLinks(record, byId)
      const step = this.#step(record, active, healCount < maxConcurrentHeals, now)
      if (step.do === 'heal') healCount++
      return [...this.#retryIdentify(record, active, now), ...this.#effects(record, active, step, now)]
    })
  }

  #step({ peer, repair }: GossipPeer, active: readonly ActiveLink[], mayHeal: boolean, now: number): RepairStep {
    const isMember = active.some(({ link }) => link.kind === 'member')
    const state = preferredLink(active)?.info.gossip ?? 'none'
    return repair.check({ state, isMember, isFirst: !isMember || this.#self < peer }, mayHeal, now)
  }

  #effects({ peer }: GossipPeer, active: readonly ActiveLink[], step: RepairStep, now: number): GossipKeeperEffect[] {
    const link = preferredLink(active)?.link
    if (link === undefined) return []
    switch (step.do) {
      case 'nothing':
        return []
      case 'heal':
        return [{ do: 'heal', connection: link.connection, lack: step.lack }]
      case 'healed':
        return [emitGossipHealed(peer, link, step)]
      case 'give-up':
        return this.#giveUp(peer, link, active, step, now)
    }
  }

  /** Checks whether any stream opens when the first identify has not succeeded: a slow peer answers the check. */
  #retryIdentify({ peer }: GossipPeer, active: readonly ActiveLink[], now: number): GossipKeeperEffect[] {
    return active.flatMap(({ link, info }): GossipKeeperEffect[] => {
      link.awaitsIdentify = info.isUnidentified === true
      const retry = link.awaitsIdentify ? link.identify.takeDueRetry(now) : undefined
      if (retry === undefined) return []
      const awaited = { protocol: identifyProtocol, waitedMs: now - link.openedAt }
      const checks = retry === 1 ? this.#protocol.checkStreams(link, now, awaited) : []
      return [emitIdentifyRetried(peer, link, retry), { do: 'identify', connection: link.connection }, ...checks]
    })
  }

  /** Closes the connections of a mute pair, except those of the application. */
  #giveUp(peer: string, link: Link, active: readonly ActiveLink[], step: GivenUp, now: number): GossipKeeperEffect[] {
    const links = active.filter(({ info }) => info.isForeign !== true).map((one) => one.link)
    const closes = links.length > 0 && this.#takeCloseSlot(peer, now)
    // After a new connection, or without one, a guest may simply have no topics.
    if (!closes && step.lack === 'no-subscription' && link.kind === 'guest') return []
    const span = emitGossipMute(peer, link, step.lack, step.heals, closes)
    return closes ? [span, ...links.flatMap((one) => this.#protocol.endLink(peer, one, 'gossip-mute', now))] : [span]
  }

  /** Notes the close if the node may close the peer's connections now. */
  #takeCloseSlot(peer: string, now: number): boolean {
    const recent = this.#recentCloses.filter(({ at }) => now - at < closeIntervalMs)
    const mayClose = !recent.some((one) => one.peer === peer)
    this.#recentCloses = mayClose ? [...recent, { peer, at: now }].slice(-maxRecentCloses) : recent
    return mayClose
  }
}

function activeLinks({ links }: GossipPeer, infos: ReadonlyMap<string, ConnectionInfo>): ActiveLink[] {
  return links
    .filter((link) => isActive(link) && !isRelayed(link))
    .flatMap((link) => {
      const info = infos.get(link.connection)
      return info === undefined ? [] : [{ link, info }]
    })
}

/** Prefers a connection on which the peer is known to speak gossipsub. */
function preferredLink(active: readonly ActiveLink[]): ActiveLink | undefined {
  return active.find(({ info }) => info.gossip !== 'none') ?? active[0]
}
