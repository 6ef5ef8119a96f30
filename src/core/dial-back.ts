import type { SpanEffect } from '../catalogue/span-effect.ts'
import { isLoopback, isPrivate, networkOf, parseAddress } from './address.ts'
import type { ConnectionLedger } from './connection-ledger.ts'
import { addressAt, type DialBackOutcome, dialBackSpan, familyOf, isDialable } from './dial-back-address.ts'
import { DialBackResponder } from './dial-back-responder.ts'
import type { NetworkEffect } from './events.ts'
import type { DialBackFrame, DialBackResult, DialBackTransport } from './frames.ts'
import { isJoined } from './link.ts'
import type { Machine, Random } from './machine.ts'
import { newTrace } from './trace.ts'

export type DialBackEvent =
  /** Where the transports listen, and hosts of own interfaces. `asks`: neighbours may be asked at all. */
  | {
      readonly type: 'listening'
      readonly addresses: readonly string[]
      readonly hosts: readonly string[]
      readonly canRequest: boolean
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

interface TrackedAddress extends ObservedAddress {
  readonly host: string
  readonly transport: DialBackTransport
  readonly port: number
  /** Neighbours that have reached it since a dial-back failed last. */
  readonly witnesses: readonly Witness[]
  readonly seenAt: number
  readonly nextRequestAt: number
  readonly failures: number
}

/** A host that was an own one until it was renumbered. */
interface FormerHost {
  readonly host: string
  readonly until: number
}

interface Witness {
  readonly peer: string
  readonly network: string
}

/** A neighbour that sees this node at `host`. */
interface Observer extends Witness {
  readonly connection: string
  readonly host: string
}

/** Guesses. One question is under way at a time. */
const bounds = {
  tracked: 8,
  askAgainMs: 5_000,
  /** A dial-back takes 3 s at most; a version that does not know the question never answers. */
  answerMs: 15_000,
  retryMs: 60_000,
  retryMaxMs: 1_800_000,
  busyMs: 20_000,
  forgetMs: 600_000,
  formerMs: 60_000,
  formerHosts: 32,
  /** Where the node has as many neighbours that could be asked. One that lies confirms nothing by itself then. */
  witnesses: 2,
} as const

/**
 * Finds out whether others reach this node at the address they see it at, which is that of a NAT. A neighbour dials that
 * IP address, never one that the asker chose, at the port and transport at which the asker listens. Whether the asker or the
 * neighbour dialled the link is all one: a node that dials nobody learns from those that dial it where they reached it.
 */
export class DialBack implements Machine<DialBackEvent, NetworkEffect | SpanEffect> {
  readonly #ledger: ConnectionLedger
  readonly #random: Random
  #listening: readonly string[] = []
  #ownHosts: readonly string[] = []
  #formerHosts: readonly FormerHost[] = []
  #canRequest = false
  #tracked: readonly TrackedAddress[] = []
  #pendingRequest: { nonce: string; by: Observer; of: TrackedAddress; until: number } | undefined
  #nextRequestAt = -Infinity
  readonly #responder: DialBackResponder

  constructor(ledger: ConnectionLedger, random: Random) {
    this.#ledger = ledger
    this.#random = random
    this.#responder = new DialBackResponder(ledger, (host) => this.#isOwn(host))
  }

  get observedAddresses(): readonly ObservedAddress[] {
    return this.#tracked
  }

  handle(event: DialBackEvent, now: number): (NetworkEffect | SpanEffect)[] {
    switch (event.type) {
      case 'listening':
        this.#listening = event.addresses
        this.#formerHosts = this.#withFormerHosts(event.hosts, now)
        this.#ownHosts = event.hosts
        this.#canRequest = event.canRequest
        return []
      case 'frame':
        return this.#onFrame(event.connection, event.frame, now)
      case 'dialled.back':
        return this.#responder.onDialled(event.nonce, event.errorType)
      case 'tick':
        return this.#tick(now)
    }
  }

  /** Nothing here is urgent: it happens at the ticks that digests cause anyway. */
  deadline(): number {
    return Infinity
  }

  #onFrame(connection: string, frame: DialBackFrame, now: number): (NetworkEffect | SpanEffect)[] {
    if (frame.type === 'dialback.request') return this.#responder.onRequest(connection, frame.request, now)
    return this.#onResult(connection, frame.result, now)
  }

  #tick(now: number): (NetworkEffect | SpanEffect)[] {
    const isTimedOut = this.#pendingRequest !== undefined && now >= this.#pendingRequest.until
    const spans = isTimedOut ? this.#applyOutcome('no-answer', now) : []
    this.#updateTracked(now)
    return [...spans, ...this.#requestDialBack(now)]
  }

  /** Links from before a renumbering still say the old address, which was no NAT's. */
  #withFormerHosts(hosts: readonly string[], now: number): readonly FormerHost[] {
    const removedHosts = this.#ownHosts.filter((host) => !hosts.includes(host))
    const former = removedHosts.map((host) => ({ host, until: now + bounds.formerMs }))
    return [...this.#formerHosts.filter(({ until }) => until > now), ...former].slice(-bounds.formerHosts)
  }

  #isOwn(host: string): boolean {
    return this.#ownHosts.includes(host) || this.#formerHosts.some((former) => former.host === host)
  }

  /**
   * Entries of the hosts that neighbours see now. Others are kept for a while, links come and go; not where neighbours see
   * another host of the same family, since the NAT has got another address then.
   */
  #updateTracked(now: number): void {
    const observers = this.#canRequest ? this.#findObservers() : []
    const hosts = [...new Set(observers.map(({ host }) => host))]
    const current = this.#tracked.filter(
      ({ seenAt, host }) => this.#canRequest && now - seenAt < bounds.forgetMs && !this.#isOwn(host),
    )
    const observable = hosts.flatMap((host) => this.#listensAt(host, now))
    const entries = observable.map((one) => {
      const entry = current.find(({ address }) => address === one.address)
      return entry === undefined ? one : this.#reassessConfirmation({ ...entry, seenAt: now }, observers, now)
    })
    const unobserved = current.filter(({ host }) => !hosts.some((other) => familyOf(other) === familyOf(host)))
    const count = ({ host }: TrackedAddress) => observers.filter((one) => one.host === host).length
    this.#tracked = [...entries.toSorted((a, b) => count(b) - count(a)), ...unobserved].slice(0, bounds.tracked)
  }

  /** Neighbours come and go: one witness may be too few now, or enough. */
  #reassessConfirmation(one: TrackedAddress, observers: readonly Observer[], now: number): TrackedAddress {
    const isEnough = one.witnesses.length >= requiredWitnesses(one.host, observers)
    if (isEnough === one.confirmed) return one
    const canAsk = eligibleObservers(one, observers).length > 0
    if (one.confirmed && !canAsk) return { ...one, confirmed: false, why: oneWitness }
    return one.failures > 0 ? one : { ...one, nextRequestAt: Math.min(one.nextRequestAt, now) }
  }

  /** The observed host with each transport and port that this node listens at. */
  #listensAt(host: string, now: number): TrackedAddress[] {
    const family = familyOf(host)
    const transports = ['quic', 'tcp'] as const
    return transports.flatMap((transport) => {
      const own = this.#listening.map(parseAddress).find((one) => {
        return one.transport === transport && one.family === family && !isLoopback(one.host)
      })
      if (own === undefined) return []
      const address = addressAt(host, transport, own.port)
      const why = 'no neighbour has dialled it yet'
      const { port } = own
      const untried = { confirmed: false, why, witnesses: [], seenAt: now, nextRequestAt: now, failures: 0 }
      return [{ address, host, transport, port, ...untried }]
    })
  }

  #requestDialBack(now: number): (NetworkEffect | SpanEffect)[] {
    if (this.#pendingRequest !== undefined || now < this.#nextRequestAt) return []
    const observers = this.#findObservers()
    const due = this.#tracked
      .filter(({ nextRequestAt }) => nextRequestAt <= now)
      .toSorted((a, b) => a.nextRequestAt - b.nextRequestAt)
    for (const of of due) {
      const choice = eligibleObservers(of, observers)
      const by = choice[Math.floor(this.#random() * choice.length)]
      if (by === undefined) continue
      const { connection } = by
      const { traceId: nonce } = newTrace(this.#random)
      this.#pendingRequest = { nonce, by, of, until: now + bounds.answerMs }
      this.#nextRequestAt = now + bounds.askAgainMs
      const { transport, port } = of
      return [{ do: 'send', connection, frame: { type: 'dialback.request', request: { nonce, transport, port } } }]
    }
    return []
  }

  #onResult(connection: string, { nonce, outcome }: DialBackResult, now: number): SpanEffect[] {
    if (this.#pendingRequest?.nonce !== nonce || this.#pendingRequest.by.connection !== connection) return []
    return this.#applyOutcome(outcome, now)
  }

  #applyOutcome(outcome: DialBackOutcome, now: number): SpanEffect[] {
    const pendingRequest = this.#pendingRequest
    if (pendingRequest === undefined) return []
    this.#pendingRequest = undefined
    const { by, of } = pendingRequest
    this.#tracked = this.#tracked.map((one) => {
      if (one.address !== of.address) return one
      return outcome === 'reachable' ? this.#onReachable(one, by, now) : this.#onUnreachable(one, outcome, now)
    })
    return [dialBackSpan({ side: 'asker', outcome, peer: by.peer, address: of.address, errorType: '' })]
  }

  #onReachable(one: TrackedAddress, { peer, network }: Observer, now: number): TrackedAddress {
    const others = one.witnesses.filter((witness) => witness.peer !== peer)
    const witnesses = [...others, { peer, network }].slice(-bounds.witnesses)
    const isEnough = witnesses.length >= requiredWitnesses(one.host, this.#findObservers())
    if (!isEnough) return { ...one, witnesses, why: one.confirmed ? '' : oneWitness, failures: 0, nextRequestAt: now }
    return {
      ...one,
      witnesses,
      confirmed: true,
      why: '',
      failures: 0,
      nextRequestAt: this.#jitteredTime(bounds.retryMaxMs, now),
    }
  }

  /** Only a dial that was made says anything: a neighbour that is busy or silent leaves the judgement as it was. */
  #onUnreachable(one: TrackedAddress, outcome: Exclude<DialBackOutcome, 'reachable'>, now: number): TrackedAddress {
    const waitMs = (outcome === 'refused' ? bounds.busyMs : bounds.retryMs) * 2 ** one.failures
    const requestAt = this.#jitteredTime(Math.min(bounds.retryMaxMs, waitMs), now)
    const failures = one.failures + 1
    if (outcome !== 'unreachable') return { ...one, failures, nextRequestAt: requestAt }
    return {
      ...one,
      confirmed: false,
      why: 'a neighbour could not dial it',
      witnesses: [],
      failures,
      nextRequestAt: requestAt,
    }
  }

  #jitteredTime(ms: number, now: number): number {
    return now + ms * (0.5 + this.#random())
  }

  /** Members that said where they see this node, at an address that is none of its own. */
  #findObservers(): Observer[] {
    return [...this.#ledger.records()].flatMap(({ peer, links }) =>
      links.filter(isJoined).flatMap(({ connection, info, observedHost: host }) => {
        if (host === undefined || !isDialable(host) || this.#isOwn(host)) return []
        return [{ peer, connection, host, network: networkOf(parseAddress(info.address).host) }]
      }),
    )
  }
}

const oneWitness = 'one neighbour has dialled it; another one has to as well'

/** Only neighbours that could see this host count: those on its own network see a private one and no public one. */
function requiredWitnesses(host: string, observers: readonly Observer[]): number {
  const eligible = observers.filter((one) => {
    return familyOf(one.host) === familyOf(host) && (isPrivate(host) || !isPrivate(one.host))
  })
  return Math.max(1, Math.min(bounds.witnesses, eligible.length))
}

/** Neighbours to ask next: while witnesses are missing others than these, on other networks if there are such. */
function eligibleObservers({ host, witnesses }: TrackedAddress, observers: readonly Observer[]): readonly Observer[] {
  const sameHost = observers.filter((one) => one.host === host)
  const others = sameHost.filter(({ peer }) => !witnesses.some((witness) => witness.peer === peer))
  const needsWitness = witnesses.length < requiredWitnesses(host, observers)
  const elsewhere = others.filter(({ network }) => !witnesses.some((witness) => witness.network === network))
  if (needsWitness) return elsewhere.length > 0 ? elsewhere : others
  return sameHost
}
