import type { ConnectionInfo } from './events.ts'
import type { GossipRepair, RepairStep } from './gossip-repair.ts'
import { isRelayed, isStanding, type Link } from './link.ts'
import type { LinkProtocol, LinkProtocolEffect } from './link-protocol.ts'
import * as spans from './link-spans.ts'

/** A connected peer, as far as its gossip is concerned. */
export interface GossipPeer {
  readonly peer: string
  readonly links: readonly Link[]
  readonly turnedAway: boolean
  readonly repair: GossipRepair
}

export type KeeperEffect = LinkProtocolEffect | { readonly do: 'observe' }

/** Heals under way at once: each costs both ends an identify and a stream, and a busy machine would only get busier. */
const healsAtOnce = 4
/** A peer whose gossip no new connection has helped either is not closed again for so long. */
const closeApartMs = 300_000
/** Closed peers that are remembered for it. */
const closedMax = 64

interface Closed {
  readonly peer: string
  readonly at: number
}

/** A link with what libp2p shows of its connection now. */
interface Shown {
  readonly link: Link
  readonly info: ConnectionInfo
}

/** Keeps gossip going with all connected peers: identify retries, heals, and closes where neither helps. */
export class GossipKeeper {
  readonly #self: string
  readonly #protocol: Pick<LinkProtocol, 'end'>
  #closed: readonly Closed[] = []

  constructor(self: string, protocol: Pick<LinkProtocol, 'end'>) {
    this.#self = self
    this.#protocol = protocol
  }

  /** A look takes a snapshot of the connections. */
  tick(peers: Iterable<GossipPeer>, now: number): KeeperEffect[] {
    return this.deadline(peers) <= now ? [{ do: 'observe' }] : []
  }

  /** When a look is due. */
  deadline(peers: Iterable<GossipPeer>): number {
    let earliest = Infinity
    for (const { repair, links } of peers) {
      earliest = Math.min(earliest, repair.dueAt)
      for (const link of links)
        if (link.awaitsIdentify && isStanding(link) && !isRelayed(link))
          earliest = Math.min(earliest, link.identify.dueAt)
    }
    return earliest
  }

  check(peers: readonly GossipPeer[], infos: readonly ConnectionInfo[], now: number): KeeperEffect[] {
    const byId = new Map(infos.map((info) => [info.id, info]))
    let healing = peers.filter(({ repair }) => repair.isHealing(now)).length
    return peers.flatMap((record) => {
      const shown = record.turnedAway ? [] : shownOf(record, byId)
      const step = this.#step(record, shown, healing < healsAtOnce, now)
      if (step.do === 'heal') healing++
      return [...retryIdentify(record, shown, now), ...this.#effects(record, shown, step, now)]
    })
  }

  #step({ peer, repair }: GossipPeer, shown: readonly Shown[], mayHeal: boolean, now: number): RepairStep {
    const member = shown.some(({ link }) => link.kind === 'member')
    const state = best(shown)?.info.gossip ?? 'none'
    return repair.check({ state, member, first: !member || this.#self < peer }, mayHeal, now)
  }

  #effects({ peer }: GossipPeer, shown: readonly Shown[], step: RepairStep, now: number): KeeperEffect[] {
    const link = best(shown)?.link
    if (link === undefined) return []
    if (step.do === 'heal') return [{ do: 'heal', connection: link.connection, lack: step.lack }]
    if (step.do === 'healed') return [spans.emitHealed(peer, link, step)]
    if (step.do === 'nothing') return []
    const links = shown.filter(({ info }) => info.foreign !== true).map((one) => one.link)
    const closes = links.length > 0 && this.#mayClose(peer, now)
    const span = spans.emitMute(peer, link, step.lack, step.heals, closes)
    return closes ? [span, ...links.flatMap((one) => this.#protocol.end(peer, one, 'gossip-mute', now))] : [span]
  }

  #mayClose(peer: string, now: number): boolean {
    const recent = this.#closed.filter(({ at }) => now - at < closeApartMs)
    const may = !recent.some((one) => one.peer === peer)
    this.#closed = may ? [...recent, { peer, at: now }].slice(-closedMax) : recent
    return may
  }
}

function retryIdentify({ peer }: GossipPeer, shown: readonly Shown[], now: number): KeeperEffect[] {
  return shown.flatMap(({ link, info }) => {
    link.awaitsIdentify = info.unidentified === true
    const retry = link.awaitsIdentify ? link.identify.due(now) : undefined
    if (retry === undefined) return []
    return [spans.emitIdentifyRetried(peer, link, retry), { do: 'identify', connection: link.connection }]
  })
}

function shownOf({ links }: GossipPeer, infos: ReadonlyMap<string, ConnectionInfo>): Shown[] {
  return links
    .filter((link) => isStanding(link) && !isRelayed(link))
    .flatMap((link) => {
      const info = infos.get(link.connection)
      return info === undefined ? [] : [{ link, info }]
    })
}

/** Of several connections one on which the peer is known to speak gossipsub. */
function best(shown: readonly Shown[]): Shown | undefined {
  return shown.find(({ info }) => info.gossip !== 'none') ?? shown[0]
}
