import { isLoopback, parseAddress, siteOf } from './address.ts'
import type { LimitName } from './limits.ts'
import { SecondLog, Tally } from './tally.ts'

/** Largest numbers of connections; a scope without one is not limited. */
export type ConnectionCaps = {
  readonly [L in Extract<
    LimitName,
    'connections' | 'pendingInbound' | 'pendingOutbound' | 'linksPerPeer' | 'connectionsPerAddress' | 'inboundRate'
  >]?: number | undefined
}

/** Why a scope refuses a connection. */
export interface Refusal {
  readonly limit: LimitName
  readonly value: number
  /** The address or IPv6 prefix that has reached its limit. */
  readonly address?: string
}

/** One connection in its scopes, or a running dial. */
export interface Place {
  /** Its handshake has ended. */
  settle(): void
  /** Counts it for its peer; a refusal means that it has to close. */
  identify(peer: string): Refusal | undefined
  /** It has closed. Later calls do nothing. */
  leave(): void
}

/** Usage of the scopes, for the census and for tests. */
export interface ScopeUsage {
  readonly connections: number
  readonly pendingInbound: number
  readonly pendingOutbound: number
  /** The largest number of connections of one address, and of one peer. */
  readonly mostPerAddress: number
  readonly mostPerPeer: number
}

/**
 * Counts the connections of a node by scope: all, those in their handshake, per address, per peer. A connection takes its
 * place before its handshake and leaves it at its close, so no scope ever exceeds its limit. A dial reserves its place
 * before it begins; the connection that it opens takes that place over.
 *
 * Loopback and relayed addresses count in no address scope, nor in a rate: all processes of this machine share the one, all peers
 * behind a relay the other.
 */
export class ConnectionScopes {
  readonly #caps: ConnectionCaps
  #open = 0
  #dials = 0
  #pendingInbound = 0
  /** Connections by address and by peer. Each entry has a place, so `connections` bounds both. */
  readonly #byAddress = new Tally()
  readonly #byPeer = new Tally()
  /** Running dials by address: those without a connection yet, and those with one, which counts by itself. */
  readonly #dialling = new Tally()
  readonly #connected = new Tally()
  #diallingCount = 0
  readonly #arrivals = new SecondLog()

  constructor(caps: ConnectionCaps) {
    this.#caps = caps
  }

  usage(): ScopeUsage {
    return {
      connections: this.#open,
      pendingInbound: this.#pendingInbound,
      pendingOutbound: this.#dials,
      mostPerAddress: this.#byAddress.most(),
      mostPerPeer: this.#byPeer.most(),
    }
  }

  /** A connection from `address`, a multiaddr, whose handshake begins. */
  acceptInbound(address: string, now: number): Place | Refusal {
    const site = siteIn(address)
    const refusal =
      this.#overRate(site, now) ??
      this.#over('pendingInbound', this.#pendingInbound) ??
      this.#over('connections', this.#open + this.#diallingCount) ??
      this.#overAtSite(site)
    if (refusal !== undefined) return refusal
    if (site !== undefined && this.#caps.inboundRate !== undefined) this.#arrivals.add(site, now)
    this.#pendingInbound++
    return this.#place(site, () => this.#pendingInbound--)
  }

  /** Reserves a place for the connection that a dial may open; the dial leaves it when it has ended. */
  reserveDial(address: string): Place | Refusal {
    const site = siteIn(address)
    const refusal =
      this.#over('pendingOutbound', this.#dials) ??
      this.#over('connections', this.#open + this.#diallingCount) ??
      this.#overAtSite(site)
    if (refusal !== undefined) return refusal
    this.#dials++
    this.#addDialling(site ?? '', 1)
    let hasLeft = false
    const leave = () => {
      if (hasLeft) return
      hasLeft = true
      this.#dials--
      // Dials to one address are alike: it does not matter which of them has the connection.
      if (this.#connected.get(site ?? '') > 0) this.#connected.add(site ?? '', -1)
      else this.#addDialling(site ?? '', -1)
    }
    return { settle: () => {}, identify: () => undefined, leave }
  }

  /** The connection of a dial, whose reservation it uses: only one without a reservation can be refused. */
  openOutbound(address: string): Place | Refusal {
    const site = siteIn(address)
    const atSite = site === undefined ? 0 : this.#byAddress.get(site)
    const refusal = this.#over('connections', this.#open) ?? this.#over('connectionsPerAddress', atSite, site)
    if (refusal !== undefined) return refusal
    if (this.#dialling.get(site ?? '') > 0) {
      this.#addDialling(site ?? '', -1)
      this.#connected.add(site ?? '', 1)
    }
    return this.#place(site, () => {})
  }

  #addDialling(site: string, change: number): void {
    this.#dialling.add(site, change)
    this.#diallingCount += change
  }

  #place(site: string | undefined, onSettled: () => void): Place {
    this.#open++
    this.#byAddress.add(site, 1)
    let peer: string | undefined
    let isPending = true
    let hasLeft = false
    const settle = () => {
      if (isPending) onSettled()
      isPending = false
    }
    return {
      settle,
      identify: (id) => {
        if (peer !== undefined || hasLeft) return undefined
        const refusal = this.#over('linksPerPeer', this.#byPeer.get(id))
        if (refusal !== undefined) return refusal
        peer = id
        this.#byPeer.add(id, 1)
        return undefined
      },
      leave: () => {
        if (hasLeft) return
        hasLeft = true
        settle()
        this.#open--
        this.#byAddress.add(site, -1)
        this.#byPeer.add(peer, -1)
      },
    }
  }

  #over(limit: keyof ConnectionCaps, count: number, address?: string): Refusal | undefined {
    const value = this.#caps[limit]
    if (value === undefined || count < value) return undefined
    return { limit, value, ...(address !== undefined && { address }) }
  }

  #overRate(site: string | undefined, now: number): Refusal | undefined {
    if (site === undefined) return undefined
    return this.#over('inboundRate', this.#arrivals.count(site, now), site)
  }

  #overAtSite(site: string | undefined): Refusal | undefined {
    if (site === undefined) return undefined
    return this.#over('connectionsPerAddress', this.#byAddress.get(site) + this.#dialling.get(site), site)
  }
}

/** The address or prefix that counts; undefined for loopback, a relayed address, and one without an IP address. */
function siteIn(address: string): string | undefined {
  const { host, family, isRelayed } = parseAddress(address)
  if (isRelayed || (family !== 'ip4' && family !== 'ip6') || isLoopback(host)) return undefined
  return siteOf(host)
}

export function isRefusal(answer: Place | Refusal): answer is Refusal {
  return 'limit' in answer
}
