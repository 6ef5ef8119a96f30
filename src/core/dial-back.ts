import { type Tell, tell } from '../catalogue/tell.ts'
import { isLinkLocal, isLoopback, isWildcard, parseAddress } from './address.ts'
import type { ConnectionLedger } from './connection-ledger.ts'
import type { NetworkEffect } from './events.ts'
import type { DialBackFrame, DialBackRequest, DialBackResult, DialBackTransport } from './frames.ts'
import { isJoined, type Link } from './link.ts'
import type { Machine, Random } from './machine.ts'
import { newTrace } from './trace.ts'

export type DialBackEvent =
  /** Where the transports listen, and hosts of own interfaces. `asks`: neighbours may be asked at all. */
  | {
      readonly type: 'listening'
      readonly addresses: readonly string[]
      readonly hosts: readonly string[]
      readonly asks: boolean
    }
  | { readonly type: 'frame'; readonly connection: string; readonly frame: DialBackFrame }
  /** The fresh dial that `dial.back` asked for has ended; `errorType` is empty when it reached the peer. */
  | { readonly type: 'dialled.back'; readonly nonce: string; readonly errorType: string }
  | { readonly type: 'tick' }

/** An address at which neighbours see this node, and what a neighbour's dial-back said of it. */
export interface ObservedAddress {
  readonly address: string
  readonly confirmed: boolean
  /** Why it is not confirmed. */
  readonly why: string
}

interface Observed extends ObservedAddress {
  readonly host: string
  readonly transport: DialBackTransport
  readonly port: number
  readonly seenAt: number
  readonly askAt: number
  readonly failures: number
}

/** A host that was an own one until it was renumbered. */
interface FormerHost {
  readonly host: string
  readonly until: number
}

/** A dial on behalf of a neighbour. */
interface Answering {
  readonly nonce: string
  readonly peer: string
  readonly connection: string
  readonly address: string
}

/** Guesses all. One question is under way at a time; a neighbour dials for few, and for each of them seldom. */
const bounds = {
  observed: 8,
  askAgainMs: 5_000,
  /** A dial-back takes 5 s at most; a version that does not know the question never answers. */
  answerMs: 15_000,
  retryMs: 60_000,
  retryMaxMs: 1_800_000,
  busyMs: 20_000,
  forgetMs: 600_000,
  answering: 4,
  answerAgainMs: 4_000,
  formerMs: 60_000,
  formerHosts: 32,
} as const
/** A fresh dial ends within this. */
export const dialBackMs = 5_000

/**
 * Finds out whether others reach this node at the address they see it at, which is that of a NAT. A neighbour dials that
 * IP address, never one that the asker chose, at the port and transport at which the asker listens.
 */
export class DialBack implements Machine<DialBackEvent, NetworkEffect | Tell> {
  readonly #ledger: ConnectionLedger
  readonly #random: Random
  #listening: readonly string[] = []
  #ownHosts: readonly string[] = []
  #formerHosts: readonly FormerHost[] = []
  #asks = false
  #observed: readonly Observed[] = []
  #asked: { nonce: string; connection: string; peer: string; of: Observed; until: number } | undefined
  #askAt = -Infinity
  #answering: readonly Answering[] = []

  constructor(ledger: ConnectionLedger, random: Random) {
    this.#ledger = ledger
    this.#random = random
  }

  get observed(): readonly ObservedAddress[] {
    return this.#observed
  }

  handle(event: DialBackEvent, now: number): (NetworkEffect | Tell)[] {
    switch (event.type) {
      case 'listening':
        this.#listening = event.addresses
        this.#formerHosts = this.#former(event.hosts, now)
        this.#ownHosts = event.hosts
        this.#asks = event.asks
        return []
      case 'frame':
        return this.#hear(event.connection, event.frame, now)
      case 'dialled.back':
        return this.#answer(event.nonce, event.errorType)
      case 'tick':
        return this.#tick(now)
    }
  }

  /** Nothing here is urgent: it happens at the ticks that digests cause anyway. */
  deadline(): number {
    return Infinity
  }

  #hear(connection: string, frame: DialBackFrame, now: number): (NetworkEffect | Tell)[] {
    if (frame.type === 'dialback.request') return this.#dial(connection, frame.request, now)
    return this.#conclude(connection, frame.result, now)
  }

  #tick(now: number): (NetworkEffect | Tell)[] {
    const late = this.#asked !== undefined && now >= this.#asked.until
    const spans = late ? this.#judge('no-answer', 'no answer', now) : []
    this.#refresh(now)
    return [...spans, ...this.#ask(now)]
  }

  /** Links from before a renumbering still say the old address, which was no NAT's. */
  #former(hosts: readonly string[], now: number): readonly FormerHost[] {
    const gone = this.#ownHosts.filter((host) => !hosts.includes(host))
    const former = gone.map((host) => ({ host, until: now + bounds.formerMs }))
    return [...this.#formerHosts.filter(({ until }) => until > now), ...former].slice(-bounds.formerHosts)
  }

  #isOwn(host: string): boolean {
    return this.#ownHosts.includes(host) || this.#formerHosts.some((former) => former.host === host)
  }

  /** Entries of the hosts that neighbours see now; others are kept for a while, links come and go. */
  #refresh(now: number): void {
    const hosts = this.#asks ? this.#observers().map(([, { observedHost = '' }]) => observedHost) : []
    const kept = this.#observed.filter(
      ({ seenAt, host }) => this.#asks && now - seenAt < bounds.forgetMs && !this.#isOwn(host),
    )
    const fresh = [...new Set(hosts)].flatMap((host) => this.#listensAt(host, now))
    const entries = fresh.map((one) => {
      const known = kept.find(({ address }) => address === one.address)
      return known === undefined ? one : { ...known, seenAt: now }
    })
    const others = kept.filter(({ address }) => !fresh.some((one) => one.address === address))
    this.#observed = [...entries, ...others].slice(0, bounds.observed)
  }

  /** The observed host with each transport and port that this node listens at. */
  #listensAt(host: string, now: number): Observed[] {
    const family = host.includes(':') ? 'ip6' : 'ip4'
    const transports = ['quic', 'tcp'] as const
    return transports.flatMap((transport) => {
      const own = this.#listening.map(parseAddress).find((one) => {
        return one.transport === transport && one.family === family && !isLoopback(one.host)
      })
      if (own === undefined) return []
      const address = addressOf(host, transport, own.port)
      const why = 'no neighbour has dialled it yet'
      return [{ address, host, transport, port: own.port, confirmed: false, why, seenAt: now, askAt: now, failures: 0 }]
    })
  }

  #ask(now: number): (NetworkEffect | Tell)[] {
    if (this.#asked !== undefined || now < this.#askAt) return []
    const due = this.#observed.filter(({ askAt }) => askAt <= now).toSorted((a, b) => a.askAt - b.askAt)
    for (const of of due) {
      const witnesses = this.#observers().filter(([, link]) => link.observedHost === of.host)
      const chosen = witnesses[Math.floor(this.#random() * witnesses.length)]
      if (chosen === undefined) continue
      const [peer, { connection }] = chosen
      const { traceId: nonce } = newTrace(this.#random)
      this.#asked = { nonce, connection, peer, of, until: now + bounds.answerMs }
      this.#askAt = now + bounds.askAgainMs
      const { transport, port } = of
      return [{ do: 'send', connection, frame: { type: 'dialback.request', request: { nonce, transport, port } } }]
    }
    return []
  }

  #conclude(connection: string, { nonce, outcome, errorType }: DialBackResult, now: number): Tell[] {
    if (this.#asked?.nonce !== nonce || this.#asked.connection !== connection) return []
    return this.#judge(outcome, errorType, now)
  }

  #judge(outcome: DialBackResult['outcome'] | 'no-answer', errorType: string, now: number): Tell[] {
    const asked = this.#asked
    if (asked === undefined) return []
    this.#asked = undefined
    this.#observed = this.#observed.map((one) =>
      one.address === asked.of.address ? this.#judged(one, outcome, errorType, now) : one,
    )
    return [span('asker', outcome, asked.peer, asked.of.address, errorType)]
  }

  /** Only a dial that was made says anything: a neighbour that is busy or silent leaves the judgement as it was. */
  #judged(one: Observed, outcome: DialBackResult['outcome'] | 'no-answer', errorType: string, now: number): Observed {
    const inMs = (ms: number) => now + ms * (0.5 + this.#random())
    if (outcome === 'reachable') {
      return { ...one, confirmed: true, why: '', failures: 0, askAt: inMs(bounds.retryMaxMs) }
    }
    if (outcome === 'refused') return { ...one, askAt: inMs(bounds.busyMs) }
    const failures = one.failures + 1
    const askAt = inMs(Math.min(bounds.retryMaxMs, bounds.retryMs * 2 ** (failures - 1)))
    if (outcome === 'no-answer') return { ...one, failures, askAt }
    return { ...one, confirmed: false, why: `a neighbour could not dial it: ${errorType}`, failures, askAt }
  }

  #dial(connection: string, request: DialBackRequest, now: number): (NetworkEffect | Tell)[] {
    const found = this.#ledger.find(connection)
    if (found === undefined || !isJoined(found[1])) return []
    const [{ peer }, link] = found
    const { host, isRelayed } = parseAddress(link.fact.address)
    const address = addressOf(host, request.transport, request.port)
    const isBusy = this.#answering.length >= bounds.answering || now - link.dialledBackAt < bounds.answerAgainMs
    const errorType = isBusy ? 'Busy' : isDialable(host) && !isRelayed ? undefined : 'NotDialable'
    if (errorType !== undefined)
      return report({ nonce: request.nonce, peer, connection, address }, 'refused', errorType)
    link.dialledBackAt = now
    this.#answering = [...this.#answering, { nonce: request.nonce, peer, connection, address }]
    return [{ do: 'dial.back', nonce: request.nonce, peer, address, limitMs: dialBackMs }]
  }

  #answer(nonce: string, errorType: string): (NetworkEffect | Tell)[] {
    const answering = this.#answering.find((one) => one.nonce === nonce)
    if (answering === undefined) return []
    this.#answering = this.#answering.filter((one) => one !== answering)
    return report(answering, errorType === '' ? 'reachable' : 'unreachable', errorType)
  }

  /** Members that this node dialled and that said where they see it, at an address that is none of its own. */
  #observers(): (readonly [string, Link])[] {
    return [...this.#ledger.records()].flatMap(({ peer, links }) =>
      links.flatMap((link) => {
        const { observedHost: host, fact } = link
        const isForeign = host !== undefined && isDialable(host) && !this.#isOwn(host)
        return isJoined(link) && fact.direction === 'outbound' && isForeign ? [[peer, link] as const] : []
      }),
    )
  }
}

function report(to: Answering, outcome: DialBackResult['outcome'], errorType: string): (NetworkEffect | Tell)[] {
  const { nonce, connection, peer, address } = to
  const result = { nonce, outcome, errorType }
  return [
    { do: 'send', connection, frame: { type: 'dialback.result', result } },
    span('responder', outcome, peer, address, errorType),
  ]
}

function span(
  side: 'asker' | 'responder',
  outcome: DialBackResult['outcome'] | 'no-answer',
  peer: string,
  address: string,
  errorType: string,
): Tell {
  const { host, port, transport } = parseAddress(address)
  return tell('mesh.address.dialback', {
    'mesh.dialback.side': side,
    'mesh.dialback.outcome': outcome,
    'mesh.peer.id': peer,
    'network.peer.address': host,
    'network.peer.port': port,
    'network.transport': transport === 'tcp' ? 'tcp' : 'udp',
    ...(outcome === 'reachable' ? {} : { 'error.type': errorType }),
  })
}

function addressOf(host: string, transport: DialBackTransport, port: number): string {
  const rest = transport === 'quic' ? `udp/${port}/quic-v1` : `tcp/${port}`
  return `/${host.includes(':') ? 'ip6' : 'ip4'}/${host}/${rest}`
}

function isDialable(host: string): boolean {
  return /^[\d.]+$|:/.test(host) && !isWildcard(host) && !isLoopback(host) && !isLinkLocal(host)
}
