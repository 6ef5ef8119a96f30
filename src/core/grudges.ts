import type { SpanEffect } from '../catalogue/span-effect.ts'
import type { CloseReason } from './frames.ts'
import { LimitSpans } from './limit-spans.ts'
import { limits } from './limits.ts'
import type { OwnedMap } from './owned-map.ts'
import type { Owner } from './owner.ts'

/** Penalties of a peer in one scored topic of gossipsub. */
export interface TopicPenalty {
  readonly meshFailures: number
  readonly invalidMessages: number
}

export interface Penalties {
  readonly behaviour: number
  readonly topics: Readonly<Record<string, TopicPenalty>>
}

interface Refusal {
  readonly reason: Offence
  readonly until: number
}

/** What this node remembers of a peer that left. Times are monotonic milliseconds. */
export interface Grudge {
  readonly penalties?: Penalties | undefined
  /** When the penalties are forgotten. */
  readonly penaltiesUntil: number
  /** By topic: until when the peer may not be grafted. */
  readonly backoffs: Readonly<Record<string, number>>
}

/** Why the node closed a link of a peer that it then refuses for a while. */
export type Offence = Extract<CloseReason, 'flooding' | 'bad-frame'>

interface Entry {
  readonly grudge: Grudge
  readonly offence: Refusal | undefined
  /** When nothing is left of it. */
  readonly until: number
}

const noGrudge: Grudge = { penaltiesUntil: 0, backoffs: {} }

/** What has not expired; undefined if that is nothing. */
function unexpired({ grudge, offence }: Omit<Entry, 'until'>, now: number): Entry | undefined {
  const { penalties, penaltiesUntil, backoffs } = grudge
  const live = Object.entries(backoffs)
    .filter(([, until]) => until > now)
    .sort(([, one], [, other]) => other - one)
    .slice(0, limits.grudgeTopics)
  const isPenalised = penalties !== undefined && penaltiesUntil > now
  const until = Math.max(live[0]?.[1] ?? now, isPenalised ? penaltiesUntil : now, offence?.until ?? now)
  if (until <= now) return undefined
  const kept = { penalties: isPenalised ? penalties : undefined, penaltiesUntil, backoffs: Object.fromEntries(live) }
  return { grudge: kept, offence: offence !== undefined && offence.until > now ? offence : undefined, until }
}

/** What is new wins, but neither the absence of penalties nor an earlier end of a backoff pardons. */
function merge(known: Grudge, added: Grudge): Grudge {
  const { penalties, penaltiesUntil } = added.penalties === undefined ? known : added
  const ends = [...Object.entries(known.backoffs), ...Object.entries(added.backoffs)].sort(([, a], [, b]) => a - b)
  return { penalties, penaltiesUntil, backoffs: Object.fromEntries(ends) }
}

/**
 * Peers that left with penalties or with a live backoff: a peer that comes back gets them back, so neither a sweep nor a
 * reconnect pardons it. Peers that flooded a link or sent a bad frame: the node refuses them for `limits.refusalMs`. It
 * has one entry per peer. A full list forgets the oldest without penalties: one connection earns a backoff or an offence,
 * so that identities made for it must not flush penalties.
 */
export class Grudges {
  readonly #peers: OwnedMap<string, Entry>
  readonly #limits: LimitSpans
  #restored = 0

  constructor(owner: Owner, limitSpans = new LimitSpans()) {
    this.#limits = limitSpans
    this.#peers = owner.map<string, Entry>({
      name: 'grudges',
      capacity: limits.grudges,
      expiry: { event: 'its parts expire, or the peer returns' },
      release: () => {},
    })
  }

  get size(): number {
    return this.#peers.size
  }

  /** Grudges that peers got back so far. */
  get restored(): number {
    return this.#restored
  }

  /** Remembers a peer that left, beside what is known of it; without penalties and live backoffs it does nothing. */
  note(peer: string, grudge: Grudge, now: number): SpanEffect[] {
    return this.#put(peer, grudge, undefined, now)
  }

  /** Refuses the peer from now on, for `limits.refusalMs`; an attempt meanwhile does not prolong it. */
  noteOffence(peer: string, reason: Offence, now: number): SpanEffect[] {
    // Without gossipsub nothing else does it.
    this.expire(now)
    return this.#put(peer, noGrudge, { reason, until: now + limits.refusalMs }, now)
  }

  /** Why the node refuses the peer now, if it does. */
  offenceOf(peer: string, now: number): Offence | undefined {
    const offence = this.#peers.get(peer)?.offence
    return offence !== undefined && offence.until > now ? offence.reason : undefined
  }

  #put(peer: string, grudge: Grudge, offence: Refusal | undefined, now: number): SpanEffect[] {
    const known = this.#peers.get(peer)
    const merged = known === undefined ? grudge : merge(known.grudge, grudge)
    const kept = unexpired({ grudge: merged, offence: offence ?? known?.offence }, now)
    if (kept === undefined) return []
    const forgotten = known === undefined ? this.#makeRoom(peer, kept) : undefined
    if (forgotten !== peer) this.#peers.set(peer, kept, now)
    return forgotten === undefined ? [] : this.#limits.emit('grudges', 'evicted', now, { peer: forgotten })
  }

  /** The penalties and backoffs of a peer that returns, which leave the list; an offence stays. */
  take(peer: string, now: number): Grudge | undefined {
    const entry = this.#peers.get(peer)
    if (entry === undefined) return undefined
    const { offence } = entry
    const left = unexpired({ grudge: noGrudge, offence }, now)
    if (left === undefined) this.#peers.delete(peer)
    else this.#peers.set(peer, left, now)
    const taken = unexpired({ grudge: entry.grudge, offence: undefined }, now)
    if (taken !== undefined) this.#restored++
    return taken?.grudge
  }

  /** Forgets what has expired. */
  expire(now: number): void {
    for (const [peer, { until }] of this.#peers) if (until <= now) this.#peers.delete(peer, 'expired')
  }

  /** The peer that a full list forgets: that may be the new one. */
  #makeRoom(peer: string, { grudge }: Entry): string | undefined {
    if (this.#peers.size < limits.grudges) return undefined
    const known = [...this.#peers]
    const [weakest] = known.find(([, entry]) => entry.grudge.penalties === undefined) ?? []
    const forgotten = weakest ?? (grudge.penalties === undefined ? peer : known[0]?.[0])
    if (forgotten !== undefined && forgotten !== peer) this.#peers.delete(forgotten, 'evicted')
    return forgotten
  }
}
