import type { ConnectionFact } from './events.ts'
import type { GossipRepair, RepairStep } from './gossip-repair.ts'
import { isRelayed, isStanding, type Link } from './link.ts'
import * as spans from './link-spans.ts'
import type { LinkTalk, TalkEffect } from './link-talk.ts'

/** A connected peer, as far as its gossip is concerned. */
export interface GossipPeer {
  readonly peer: string
  readonly links: readonly Link[]
  readonly turnedAway: boolean
  readonly repair: GossipRepair
}

export type KeeperEffect = TalkEffect | { readonly do: 'observe' }

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
  readonly fact: ConnectionFact
}

/** Keeps gossip going with all connected peers: identify retries, heals, and closes where neither helps. */
export class GossipKeeper {
  readonly #self: string
  readonly #talk: Pick<LinkTalk, 'end'>
  #closed: readonly Closed[] = []

  constructor(self: string, talk: Pick<LinkTalk, 'end'>) {
    this.#self = self
    this.#talk = talk
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

  look(peers: readonly GossipPeer[], facts: readonly ConnectionFact[], now: number): KeeperEffect[] {
    const byId = new Map(facts.map((fact) => [fact.id, fact]))
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
    const state = best(shown)?.fact.gossip ?? 'none'
    return repair.look({ state, member, first: !member || this.#self < peer }, mayHeal, now)
  }

  #effects({ peer }: GossipPeer, shown: readonly Shown[], step: RepairStep, now: number): KeeperEffect[] {
    const link = best(shown)?.link
    if (link === undefined) return []
    if (step.do === 'heal') return [{ do: 'heal', connection: link.connection, lack: step.lack }]
    if (step.do === 'healed') return [spans.emitHealed(peer, link, step)]
    if (step.do === 'nothing') return []
    const links = shown.filter(({ fact }) => fact.foreign !== true).map((one) => one.link)
    const closes = links.length > 0 && this.#mayClose(peer, now)
    const span = spans.emitMute(peer, link, step.lack, step.heals, closes)
    return closes ? [span, ...links.flatMap((one) => this.#talk.end(peer, one, 'gossip-mute', now))] : [span]
  }

  #mayClose(peer: string, now: number): boolean {
    const recent = this.#closed.filter(({ at }) => now - at < closeApartMs)
    const may = !recent.some((one) => one.peer === peer)
    this.#closed = may ? [...recent, { peer, at: now }].slice(-closedMax) : recent
    return may
  }
}

function retryIdentify({ peer }: GossipPeer, shown: readonly Shown[], now: number): KeeperEffect[] {
  return shown.flatMap(({ link, fact }) => {
    link.awaitsIdentify = fact.unidentified === true
    const retry = link.awaitsIdentify ? link.identify.due(now) : undefined
    if (retry === undefined) return []
    return [spans.emitIdentifyRetried(peer, link, retry), { do: 'identify', connection: link.connection }]
  })
}

function shownOf({ links }: GossipPeer, facts: ReadonlyMap<string, ConnectionFact>): Shown[] {
  return links
    .filter((link) => isStanding(link) && !isRelayed(link))
    .flatMap((link) => {
      const fact = facts.get(link.connection)
      return fact === undefined ? [] : [{ link, fact }]
    })
}

/** Of several connections one on which the peer is known to speak gossipsub. */
function best(shown: readonly Shown[]): Shown | undefined {
  return shown.find(({ fact }) => fact.gossip !== 'none') ?? shown[0]
}
