import type { Connection, IdentifyResult } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Owner } from '../../core/owner.ts'
import type { NetworkComponents } from '../components.ts'
import { type AddressFailure, failureOf } from './dial-failure.ts'

export type DialOutcome =
  /** `others`: connections over other addresses; the attempt drops them when `onDone` returns. */
  | { readonly ok: true; readonly connection: Connection; readonly others: readonly Connection[] }
  /** `hasYielded`: the attempt stopped because other code reaches the peer. */
  | { readonly ok: false; readonly failures: readonly AddressFailure[]; readonly hasYielded?: boolean }

/** Outcome of the addresses whose dials began before that of the winner. */
export interface TriedPaths {
  readonly worked: readonly Multiaddr[]
  readonly failures: readonly AddressFailure[]
}

export interface AttemptEvents {
  onDone(outcome: DialOutcome): void
  /** A connection is open; the attempt may still drop it. */
  onOpened?(connection: Connection): void
  /** The attempt does not need this connection. By default it aborts it. */
  onUnneeded?(connection: Connection, reason: Error): void
  /** After a success, once every earlier dial has ended; at the limit at the latest. */
  onPathsTried?(paths: TriedPaths): void
  /** A connection over another address opened after the success; the attempt drops it next. */
  onDuplicate?(connection: Connection): void
  /** Whether other code reaches the peer; polled until a connection of this attempt is open. */
  shouldYield?(): boolean
  /** Whether a success also aborts the dials that began before the winner's. */
  readonly abortsSlower?: boolean
}

interface Pending {
  readonly address: Multiaddr
  readonly index: number
  readonly abort: AbortController
}

/** Between the starts of two addresses: the Connection Attempt Delay that RFC 8305 §5 recommends. */
const staggerMs = 250
/** First interval of the poll of `shouldYield`; it doubles each time, up to `staggerMs`. */
const firstPollMs = 5
/** While a connection waits for identify, the next address starts later, as it is rarely needed. */
const staggerOpenMs = 1_000

/**
 * One attempt at one peer over several addresses in parallel. It succeeds when a connection is identified: over QUIC a
 * dial succeeds even if the other side refuses the connection. It drops later connections. It bypasses libp2p's dial
 * queue, which tries addresses serially, 10 s each when a QUIC port is dead, and shares its result with other dials.
 *
 * Dials that began before the winner's run to their end: only they show that a usually faster path is blocked. If the
 * application shares the connections, a success aborts them too (`abortsSlower`): libp2p shares every open connection,
 * so the application may use the slower one.
 *
 * A native QUIC dial cannot be aborted; if it succeeds after the signal, libp2p's upgrader drops its connection.
 */
export class DialAttempt {
  readonly #components: NetworkComponents
  /** Belongs to this attempt alone and closes with it. */
  readonly #owner: Owner
  readonly #addresses: readonly Multiaddr[]
  readonly #events: AttemptEvents
  /** Bounded by the addresses, like the failures. */
  #open: readonly { readonly connection: Connection; readonly address: Multiaddr; readonly index: number }[] = []
  #failures: readonly AddressFailure[] = []
  /** Running dials. Each has its own signal: on TCP it still ends the connection after the dial returned. */
  #pending: readonly Pending[] = []
  #worked: readonly Multiaddr[] = []
  #startedCount = 0
  #cancelNext: (() => void) | undefined
  #hasEnded = false

  constructor(components: NetworkComponents, owner: Owner, addresses: readonly Multiaddr[], events: AttemptEvents) {
    this.#components = components
    this.#owner = owner
    this.#addresses = addresses
    this.#events = events
  }

  /** Ends within `limitMs`. Calls `onDone` exactly once, unless its owner closes before. */
  start(limitMs: number): void {
    const { events } = this.#components
    const onIdentify = (event: CustomEvent<IdentifyResult>) => this.#onIdentified(event.detail.connection)
    const onClose = (event: CustomEvent<Connection>) => this.#onClosed(event.detail)
    events.addEventListener('peer:identify', onIdentify)
    events.addEventListener('connection:close', onClose)
    this.#owner.adopt('libp2p listeners', () => {
      events.removeEventListener('peer:identify', onIdentify)
      events.removeEventListener('connection:close', onClose)
      this.#hasEnded = true
      for (const { abort } of this.#pending) abort.abort()
    })
    this.#owner.after(limitMs, () => this.#onTimeout(limitMs))
    if (this.#events.shouldYield !== undefined) this.#pollYield(firstPollMs)
    this.#startNext()
  }

  #startNext(): void {
    if (this.#hasEnded || this.#yieldIfReached()) return
    this.#cancelNext?.()
    this.#cancelNext = undefined
    const address = this.#addresses[this.#startedCount]
    if (address === undefined) {
      if (this.#pending.length === 0 && this.#open.length === 0) this.#end({ ok: false, failures: this.#failures })
      return
    }
    const pending: Pending = { address, index: this.#startedCount++, abort: new AbortController() }
    this.#pending = [...this.#pending, pending]
    const removePending = () => {
      this.#pending = this.#pending.filter((other) => other !== pending)
    }
    this.#dial(address, pending.abort.signal)
      .finally(removePending)
      .then(
        (connection) => this.#onOpened(connection, pending),
        (error: unknown) => this.#onFailed(failureOf(error, 'dial', address.toString())),
      )
    this.#schedule(staggerMs)
  }

  #schedule(ms: number): void {
    this.#cancelNext?.()
    this.#cancelNext =
      this.#startedCount < this.#addresses.length ? this.#owner.after(ms, () => this.#startNext()) : undefined
  }

  async #dial(address: Multiaddr, signal: AbortSignal): Promise<Connection> {
    const isDenied = await this.#components.connectionGater?.denyDialMultiaddr?.(address)
    if (isDenied === true) throw new Error('the connection gater denies this address')
    return this.#components.transportManager.dial(address, { signal, onProgress: () => this.#yieldIfReached() })
  }

  #pollYield(ms: number): void {
    this.#owner.after(ms, () => {
      if (!this.#hasEnded && !this.#yieldIfReached()) this.#pollYield(Math.min(2 * ms, staggerMs))
    })
  }

  /** Aborts the running dials, before one opens a connection, if other code reaches the peer. */
  #yieldIfReached(): boolean {
    if (this.#hasEnded || this.#open.length > 0 || this.#events.shouldYield?.() !== true) return false
    this.#end({ ok: false, failures: this.#failures, hasYielded: true })
    return true
  }

  #onOpened(connection: Connection, { address, index }: Pending): void {
    if (this.#hasEnded) {
      this.#onOpenedLate(connection, address)
      return
    }
    if (connection.status !== 'open') {
      this.#failIdentify('identify', 'the connection was closed at once', address)
      return
    }
    this.#events.onOpened?.(connection)
    this.#open = [...this.#open, { connection, address, index }]
    this.#schedule(staggerOpenMs)
  }

  #onOpenedLate(connection: Connection, address: Multiaddr): void {
    if (!this.#owner.closed) {
      this.#worked = [...this.#worked, address]
      this.#events.onDuplicate?.(connection)
    }
    this.#dropConnection(connection, 'the dial had ended')
    this.#reportTriedPaths()
  }

  #onFailed(failure: AddressFailure): void {
    this.#failures = [...this.#failures, failure]
    if (this.#hasEnded) this.#reportTriedPaths()
    else this.#startNext()
  }

  /** The other side refused the connection after the handshake, as libp2p does over its limits. */
  #onClosed(connection: Connection): void {
    const entry = this.#open.find((other) => other.connection === connection)
    if (entry === undefined) return
    this.#open = this.#open.filter((other) => other !== entry)
    this.#failIdentify('identify', 'the connection was closed before the peer was identified', entry.address)
  }

  #failIdentify(stage: 'identify', message: string, address: Multiaddr): void {
    this.#failures = [...this.#failures, { stage, type: 'ConnectionClosed', message, address: address.toString() }]
    this.#startNext()
  }

  #onIdentified(connection: Connection): void {
    const winner = this.#open.find((other) => other.connection === connection)
    if (this.#hasEnded || winner === undefined) return
    const others = this.#open.filter((other) => other !== winner).map((other) => other.connection)
    this.#worked = [winner, ...this.#open.filter((other) => other !== winner)].map(({ address }) => address)
    const losers = this.#pending.filter(({ index }) => this.#events.abortsSlower === true || index > winner.index)
    this.#pending = this.#pending.filter((one) => !losers.includes(one))
    for (const { abort } of losers) abort.abort()
    this.#end({ ok: true, connection, others })
    for (const other of others) this.#dropConnection(other, 'another address of the dial was faster')
    this.#reportTriedPaths()
  }

  /** Reports once every dial that began before the success has ended. */
  #reportTriedPaths(): void {
    if (this.#owner.closed || this.#worked.length === 0 || this.#pending.length > 0) return
    void this.#owner.close()
    this.#events.onPathsTried?.({ worked: this.#worked, failures: this.#failures })
  }

  #onTimeout(limitMs: number): void {
    const timeout = { type: 'TimeoutError', message: `no answer within ${Math.round(limitMs)} ms` }
    if (this.#hasEnded) {
      for (const { abort } of this.#pending) abort.abort()
      const timeouts = this.#pending.map(
        ({ address }) => ({ ...timeout, stage: 'dial', address: String(address) }) as const,
      )
      this.#failures = [...this.#failures, ...timeouts]
      this.#pending = []
      this.#reportTriedPaths()
      return
    }
    const open = this.#open
    const last = (open.length > 0 ? open : this.#pending).at(-1)
    const stage = open.length > 0 ? 'identify' : 'dial'
    const failure = { ...timeout, stage, ...(last && { address: String(last.address) }) } as const
    this.#end({ ok: false, failures: [...this.#failures, failure] })
    for (const { connection } of open) this.#dropConnection(connection, 'the peer was not identified in time')
  }

  #dropConnection(connection: Connection, reason: string): void {
    const error = new Error(reason)
    if (this.#events.onUnneeded === undefined) connection.abort(error)
    else this.#events.onUnneeded(connection, error)
  }

  #end(outcome: DialOutcome): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    this.#open = []
    this.#cancelNext?.()
    if (!outcome.ok) void this.#owner.close()
    this.#events.onDone(outcome)
  }
}
