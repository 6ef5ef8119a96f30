import type { SpanEffect } from '../catalogue/span-effect.ts'
import { addressAt, familyOf, isDialable, isLoopback, isPrivate, networkOf, parseAddress } from './address.ts'
import type { ConnectionLedger } from './connection-ledger.ts'
import type { NetworkEffect, NetworkEvent, OwnEvent } from './events.ts'
import type { DialBackFrame, DialBackOutcome, DialBackRequest, DialBackResult, DialBackTransport } from './frames.ts'
import { isJoined } from './link.ts'
import type { Machine, Random } from './machine.ts'
import { emitDialBack } from './spans/node.ts'
import { newTrace } from './trace.ts'

export type DialBackEvent =
  | Extract<OwnEvent, { readonly type: 'listening' | 'tick' }>
  | { readonly type: 'frame'; readonly connection: string; readonly frame: DialBackFrame }
  | Extract<NetworkEvent, { readonly type: 'dialled.back' }>

/** An address at which neighbours observe this node, and the result of their dial-backs. */
export interface ObservedAddress {
  readonly address: string
  readonly isConfirmed: boolean
  /** Why it is not confirmed. */
  readonly why: string
}

interface TrackedAddress extends ObservedAddress {
  readonly host: string
  readonly transport: DialBackTransport
  readonly port: number
  /** Neighbours that have reached it since the last failed dial-back. */
  readonly witnesses: readonly Witness[]
  readonly seenAt: number
  readonly requestAt: number
  readonly failures: number
}

/** An own host from before a renumbering. */
interface FormerHost {
  readonly host: string
  readonly until: number
}

interface Witness {
  readonly peer: string
  readonly network: string
}

/** A neighbour that observes this node at `host`. */
interface Observer extends Witness {
  readonly connection: string
  readonly host: string
}

/** Guesses. At most one request is pending. */
const bounds = {
  trackedAddresses: 8,
  requestIntervalMs: 5_000,
  /** A dial-back takes at most 3 s; a version without dial-back never answers. */
  resultTimeoutMs: 15_000,
  retryMs: 60_000,
  retryMaxMs: 1_800_000,
  busyMs: 20_000,
  expiryMs: 600_000,
  formerMs: 60_000,
  formerHosts: 32,
  /** Required if that many neighbours can dial back, so that a single lying neighbour confirms nothing. */
  witnesses: 2,
} as const

/**
 * Checks whether peers can reach this node at its observed address, which may be that of a NAT. A neighbour dials that
 * IP address, never one that the requester chose, at the port and transport on which the requester listens. Either end
 * may have dialled the link: a node without outbound links learns its address from inbound ones.
 */
export class DialBack implements Machine<DialBackEvent, NetworkEffect | SpanEffect> {
  readonly #ledger: ConnectionLedger
  readonly #random: Random
  #listening: readonly string[] = []
  #ownHosts: readonly string[] = []
  #formerHosts: readonly FormerHost[] = []
  #canRequest = false
  #trackedAddresses: readonly TrackedAddress[] = []
  #pendingRequest: { nonce: string; observer: Observer; target: TrackedAddress; until: number } | undefined
  #requestAt = -Infinity
  readonly #responder: DialBackResponder

  constructor(ledger: ConnectionLedger, random: Random) {
    this.#ledger = ledger
    this.#random = random
    this.#responder = new DialBackResponder(ledger, (host) => this.#isOwn(host))
  }

  get observedAddresses(): readonly ObservedAddress[] {
    return this.#trackedAddresses
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

  /** Not urgent: it uses the ticks that digests cause anyway. */
  deadline(): number {
    return Infinity
  }

  #onFrame(connection: string, frame: DialBackFrame, now: number): (NetworkEffect | SpanEffect)[] {
    switch (frame.type) {
      case 'dialback.request':
        return this.#responder.answer(connection, frame.request, now)
      case 'dialback.result':
        return this.#onResult(connection, frame.result, now)
    }
  }

  #tick(now: number): (NetworkEffect | SpanEffect)[] {
    const isTimedOut = this.#pendingRequest !== undefined && now >= this.#pendingRequest.until
    const spans = isTimedOut ? this.#applyOutcome('no-answer', now) : []
    this.#updateTracked(now)
    return [...spans, ...this.#requestDialBack(now)]
  }

  /** Links from before a renumbering still report the old address, which was not a NAT's. */
  #withFormerHosts(hosts: readonly string[], now: number): readonly FormerHost[] {
    const removedHosts = this.#ownHosts.filter((host) => !hosts.includes(host))
    const former = removedHosts.map((host) => ({ host, until: now + bounds.formerMs }))
    return [...this.#formerHosts.filter(({ until }) => until > now), ...former].slice(-bounds.formerHosts)
  }

  #isOwn(host: string): boolean {
    return this.#ownHosts.includes(host) || this.#formerHosts.some((former) => former.host === host)
  }

  /**
   * Tracks the hosts that neighbours observe now. Other entries stay for a while, because links come and go, unless
   * neighbours observe another host of the same family: then the address of the NAT has changed.
   */
  #updateTracked(now: number): void {
    const observers = this.#canRequest ? this.#findObservers() : []
    const hosts = [...new Set(observers.map(({ host }) => host))]
    const current = this.#trackedAddresses.filter(
      ({ seenAt, host }) => this.#canRequest && now - seenAt < bounds.expiryMs && !this.#isOwn(host),
    )
    const observable = hosts.flatMap((host) => this.#listensAt(host, now))
    const entries = observable.map((one) => {
      const entry = current.find(({ address }) => address === one.address)
      return entry === undefined ? one : this.#reassessConfirmation({ ...entry, seenAt: now }, observers, now)
    })
    const unobserved = current.filter(({ host }) => !hosts.some((other) => familyOf(other) === familyOf(host)))
    const count = ({ host }: TrackedAddress) => observers.filter((one) => one.host === host).length
    this.#trackedAddresses = [...entries.toSorted((a, b) => count(b) - count(a)), ...unobserved].slice(
      0,
      bounds.trackedAddresses,
    )
  }

  /** The number of required witnesses changes with the neighbours. */
  #reassessConfirmation(one: TrackedAddress, observers: readonly Observer[], now: number): TrackedAddress {
    const isEnough = one.witnesses.length >= requiredWitnesses(one.host, observers)
    if (isEnough === one.isConfirmed) return one
    const hasObserver = eligibleObservers(one, observers).length > 0
    if (one.isConfirmed && !hasObserver) return { ...one, isConfirmed: false, why: oneWitness }
    return one.failures > 0 ? one : { ...one, requestAt: Math.min(one.requestAt, now) }
  }

  /** The observed host combined with each transport and port on which this node listens. */
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
      const untried = { isConfirmed: false, why, witnesses: [], seenAt: now, requestAt: now, failures: 0 }
      return [{ address, host, transport, port, ...untried }]
    })
  }

  #requestDialBack(now: number): (NetworkEffect | SpanEffect)[] {
    if (this.#pendingRequest !== undefined || now < this.#requestAt) return []
    const due = this.#trackedAddresses
      .filter(({ requestAt }) => requestAt <= now)
      .toSorted((a, b) => a.requestAt - b.requestAt)
    const observers = due.length === 0 ? [] : this.#findObservers()
    for (const target of due) {
      const choice = eligibleObservers(target, observers)
      const observer = choice[Math.floor(this.#random() * choice.length)]
      if (observer === undefined) continue
      const { connection } = observer
      const { traceId: nonce } = newTrace(this.#random)
      this.#pendingRequest = { nonce, observer, target, until: now + bounds.resultTimeoutMs }
      this.#requestAt = now + bounds.requestIntervalMs
      const { transport, port } = target
      return [{ do: 'send', connection, frame: { type: 'dialback.request', request: { nonce, transport, port } } }]
    }
    return []
  }

  #onResult(connection: string, { nonce, outcome }: DialBackResult, now: number): SpanEffect[] {
    if (this.#pendingRequest?.nonce !== nonce || this.#pendingRequest.observer.connection !== connection) return []
    return this.#applyOutcome(outcome, now)
  }

  #applyOutcome(outcome: DialBackOutcome, now: number): SpanEffect[] {
    const pendingRequest = this.#pendingRequest
    if (pendingRequest === undefined) return []
    this.#pendingRequest = undefined
    const { observer, target } = pendingRequest
    this.#trackedAddresses = this.#trackedAddresses.map((one) => {
      if (one.address !== target.address) return one
      return outcome === 'reachable' ? this.#onReachable(one, observer, now) : this.#onNotReached(one, outcome, now)
    })
    return [emitDialBack({ side: 'asker', outcome, peer: observer.peer, address: target.address, errorType: '' })]
  }

  #onReachable(one: TrackedAddress, { peer, network }: Observer, now: number): TrackedAddress {
    const others = one.witnesses.filter((witness) => witness.peer !== peer)
    const witnesses = [...others, { peer, network }].slice(-bounds.witnesses)
    const isEnough = witnesses.length >= requiredWitnesses(one.host, this.#findObservers())
    if (!isEnough) return { ...one, witnesses, why: one.isConfirmed ? '' : oneWitness, failures: 0, requestAt: now }
    return {
      ...one,
      witnesses,
      isConfirmed: true,
      why: '',
      failures: 0,
      requestAt: this.#jitter(bounds.retryMaxMs, now),
    }
  }

  /** Only a failed dial changes the confirmation; a busy or silent neighbour does not. */
  #onNotReached(one: TrackedAddress, outcome: Exclude<DialBackOutcome, 'reachable'>, now: number): TrackedAddress {
    const delayMs = (outcome === 'refused' ? bounds.busyMs : bounds.retryMs) * 2 ** one.failures
    const requestAt = this.#jitter(Math.min(bounds.retryMaxMs, delayMs), now)
    const failures = one.failures + 1
    if (outcome !== 'unreachable') return { ...one, failures, requestAt }
    return { ...one, isConfirmed: false, why: 'a neighbour could not dial it', witnesses: [], failures, requestAt }
  }

  #jitter(ms: number, now: number): number {
    return now + ms * (0.5 + this.#random())
  }

  /** Members that observe this node at an address that is not one of its own. */
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

/** Counts only neighbours that can observe this host: those on its own network observe a private address. */
function requiredWitnesses(host: string, observers: readonly Observer[]): number {
  const eligible = observers.filter((one) => {
    return familyOf(one.host) === familyOf(host) && (isPrivate(host) || !isPrivate(one.host))
  })
  return Math.max(1, Math.min(bounds.witnesses, eligible.length))
}

/** Neighbours for the next request: while witnesses are missing, new ones, on other networks if possible. */
function eligibleObservers({ host, witnesses }: TrackedAddress, observers: readonly Observer[]): readonly Observer[] {
  const sameHost = observers.filter((one) => one.host === host)
  const others = sameHost.filter(({ peer }) => !witnesses.some((witness) => witness.peer === peer))
  const needsWitness = witnesses.length < requiredWitnesses(host, observers)
  const elsewhere = others.filter(({ network }) => !witnesses.some((witness) => witness.network === network))
  if (needsWitness) return elsewhere.length > 0 ? elsewhere : others
  return sameHost
}

/** A dial-back in progress for a neighbour. */
interface PendingDial {
  readonly nonce: string
  readonly peer: string
  readonly connection: string
  readonly address: string
}

interface RecentDial {
  readonly peer: string
  readonly network: string
  readonly at: number
}

/** Guesses. A requester may reconnect with another peer id, so peers, networks and the total each have a limit. */
const answerBounds = {
  concurrent: 4,
  dialMs: 3_000,
  peerIntervalMs: 4_000,
  windowMs: 10_000,
  perWindow: 10,
  refusalIntervalMs: 1_000,
} as const
const firstUnprivilegedPort = 1_024

/**
 * Dials neighbours back on request, at a low rate: at the IP address of the connection, which the requester cannot
 * choose, and never at an own address. It dials a privileged port only if this node reached the requester there before.
 */
class DialBackResponder {
  readonly #ledger: ConnectionLedger
  readonly #isOwn: (host: string) => boolean
  #pendingDials: readonly PendingDial[] = []
  #recentDials: readonly RecentDial[] = []
  #refusedAt = -Infinity

  constructor(ledger: ConnectionLedger, isOwn: (host: string) => boolean) {
    this.#ledger = ledger
    this.#isOwn = isOwn
  }

  answer(connection: string, { nonce, transport, port }: DialBackRequest, now: number): (NetworkEffect | SpanEffect)[] {
    const entry = this.#ledger.find(connection)
    if (entry === undefined || !isJoined(entry[1])) return []
    const [{ peer }, { info }] = entry
    const { host, isRelayed, port: linkPort } = parseAddress(info.address)
    const pendingDial = { nonce, peer, connection, address: addressAt(host, transport, port) }
    const isReachedThere = info.direction === 'outbound' && linkPort === port
    const isPermitted = port >= firstUnprivilegedPort || isReachedThere
    if (isRelayed || !isDialable(host) || this.#isOwn(host) || !isPermitted)
      return this.#refuse(pendingDial, 'NotDialable', now)
    if (!this.#takeSlot(peer, networkOf(host), now)) return this.#refuse(pendingDial, 'Busy', now)
    this.#pendingDials = [...this.#pendingDials, pendingDial]
    return [{ do: 'dial.back', nonce, peer, address: pendingDial.address, limitMs: answerBounds.dialMs }]
  }

  onDialled(nonce: string, errorType: string): (NetworkEffect | SpanEffect)[] {
    const pendingDial = this.#pendingDials.find((one) => one.nonce === nonce)
    if (pendingDial === undefined) return []
    this.#pendingDials = this.#pendingDials.filter((one) => one !== pendingDial)
    return reply(pendingDial, errorType === '' ? 'reachable' : 'unreachable', errorType)
  }

  #takeSlot(peer: string, network: string, now: number): boolean {
    this.#recentDials = this.#recentDials.filter(({ at }) => now - at < answerBounds.windowMs)
    const isTooSoon = this.#recentDials.some((one) => {
      return now - one.at < answerBounds.peerIntervalMs && (one.peer === peer || one.network === network)
    })
    if (
      isTooSoon ||
      this.#pendingDials.length >= answerBounds.concurrent ||
      this.#recentDials.length >= answerBounds.perWindow
    )
      return false
    this.#recentDials = [...this.#recentDials, { peer, network, at: now }]
    return true
  }

  /** Answers and emits one refusal per second; without an answer the requester waits as well. */
  #refuse(pendingDial: PendingDial, errorType: string, now: number): (NetworkEffect | SpanEffect)[] {
    if (now - this.#refusedAt < answerBounds.refusalIntervalMs) return []
    this.#refusedAt = now
    return reply(pendingDial, 'refused', errorType)
  }
}

/** Sends only the outcome to the requester; the span on this side has the reason. */
function reply(to: PendingDial, outcome: DialBackResult['outcome'], errorType: string): (NetworkEffect | SpanEffect)[] {
  const { nonce, connection, peer, address } = to
  return [
    { do: 'send', connection, frame: { type: 'dialback.result', result: { nonce, outcome } } },
    emitDialBack({ side: 'responder', outcome, peer, address, errorType }),
  ]
}
