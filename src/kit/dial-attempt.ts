import type { Connection, IdentifyResult } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Owner } from '../core/owner.ts'
import type { NetworkComponents } from './components.ts'
import { type AddressFailure, failureOf } from './dial-failure.ts'

export type DialOutcome =
  /** `others`: connections over other addresses, which are dropped when `done` returns. */
  | { readonly ok: true; readonly connection: Connection; readonly others: readonly Connection[] }
  /** `gaveWay`: called off, since other code reaches the peer. */
  | { readonly ok: false; readonly failures: readonly AddressFailure[]; readonly gaveWay?: boolean }

/** What became of the addresses that were tried before the one that succeeded. */
export interface TriedPaths {
  readonly worked: readonly Multiaddr[]
  readonly failures: readonly AddressFailure[]
}

export interface AttemptEvents {
  done(outcome: DialOutcome): void
  /** A connection is open, and may be dropped yet. */
  opened?(connection: Connection): void
  /** The attempt does not need this connection. Aborts it when left out. */
  drop?(connection: Connection, reason: Error): void
  /** After a success, when it is known of every address that had been tried before; at the limit at the latest. */
  tried?(paths: TriedPaths): void
  /** A connection over another address opened after the success; it is dropped next. */
  duplicate?(connection: Connection): void
  /** Whether other code reaches the peer: asked again and again, until a connection of this attempt is open. */
  givesWay?(): boolean
  /** Whether the dials that had begun before the one that succeeded are called off like those that began later. */
  readonly callsOffSlower?: boolean
}

interface Pending {
  readonly address: Multiaddr
  readonly index: number
  readonly abort: AbortController
}

/** Between the starts of two addresses: the Connection Attempt Delay that RFC 8305 §5 recommends. */
const staggerMs = 250
/** First wait for another look at whether other code dials the same peer; each is twice as long, up to `staggerMs`. */
const watchMs = 5
/** While one address has a connection that is not identified yet, the next one waits longer: it will hardly be needed. */
const staggerOpenMs = 1_000

/**
 * One attempt at one peer over several addresses side by side. It succeeds when a connection is identified: over QUIC
 * a dial succeeds although the other side has refused the connection. What opens later is closed. It does not go
 * through libp2p's dial queue, which tries addresses one after the other, 10 s each when a QUIC port is dead, and
 * shares its result with other dials.
 *
 * Dials that had begun before the one that succeeded go on to their end: where the faster way is blocked, that is the
 * only time at which it shows. Where the application shares the connections they are called off too (`callsOffSlower`):
 * libp2p hands out every connection that opens, so the application may use the slower one.
 *
 * A native QUIC dial cannot be called off; when it succeeds after the signal, libp2p's upgrader drops its connection.
 */
export class DialAttempt {
  readonly #components: NetworkComponents
  /** Of this attempt alone: what it holds goes with its end. */
  readonly #owner: Owner
  readonly #addresses: readonly Multiaddr[]
  readonly #events: AttemptEvents
  /** Bounded by the addresses, like the failures. */
  #open: readonly { readonly connection: Connection; readonly address: Multiaddr; readonly index: number }[] = []
  #failures: readonly AddressFailure[] = []
  /** Dials under way. Each has its own signal: TCP goes on heeding it after the connection has been handed out. */
  #pending: readonly Pending[] = []
  #worked: readonly Multiaddr[] = []
  #started = 0
  #cancelNext: (() => void) | undefined
  #ended = false

  constructor(components: NetworkComponents, owner: Owner, addresses: readonly Multiaddr[], events: AttemptEvents) {
    this.#components = components
    this.#owner = owner
    this.#addresses = addresses
    this.#events = events
  }

  /** `limitMs`: by then it has ended. Calls `done` exactly once, unless its owner is closed before. */
  start(limitMs: number): void {
    const { events } = this.#components
    const identified = (event: CustomEvent<IdentifyResult>) => this.#identified(event.detail.connection)
    const closed = (event: CustomEvent<Connection>) => this.#closed(event.detail)
    events.addEventListener('peer:identify', identified)
    events.addEventListener('connection:close', closed)
    this.#owner.adopt('libp2p listeners', () => {
      events.removeEventListener('peer:identify', identified)
      events.removeEventListener('connection:close', closed)
      this.#ended = true
      for (const { abort } of this.#pending) abort.abort()
    })
    this.#owner.after(limitMs, () => this.#timeout(limitMs))
    if (this.#events.givesWay !== undefined) this.#watch(watchMs)
    this.#next()
  }

  #next(): void {
    if (this.#ended || this.#giveWay()) return
    this.#cancelNext?.()
    this.#cancelNext = undefined
    const address = this.#addresses[this.#started]
    if (address === undefined) {
      if (this.#pending.length === 0 && this.#open.length === 0) this.#end({ ok: false, failures: this.#failures })
      return
    }
    const pending: Pending = { address, index: this.#started++, abort: new AbortController() }
    this.#pending = [...this.#pending, pending]
    const config = () => {
      this.#pending = this.#pending.filter((other) => other !== pending)
    }
    this.#dial(address, pending.abort.signal)
      .finally(config)
      .then(
        (connection) => this.#opened(connection, pending),
        (error: unknown) => this.#failed(failureOf(error, 'dial', address.toString())),
      )
    this.#schedule(staggerMs)
  }

  #schedule(ms: number): void {
    this.#cancelNext?.()
    this.#cancelNext = this.#started < this.#addresses.length ? this.#owner.after(ms, () => this.#next()) : undefined
  }

  async #dial(address: Multiaddr, signal: AbortSignal): Promise<Connection> {
    const denied = await this.#components.connectionGater?.denyDialMultiaddr?.(address)
    if (denied === true) throw new Error('the connection gater denies this address')
    return this.#components.transportManager.dial(address, { signal, onProgress: () => this.#giveWay() })
  }

  #watch(ms: number): void {
    this.#owner.after(ms, () => {
      if (!this.#ended && !this.#giveWay()) this.#watch(Math.min(2 * ms, staggerMs))
    })
  }

  /** What is under way is called off before it becomes a connection. */
  #giveWay(): boolean {
    if (this.#ended || this.#open.length > 0 || this.#events.givesWay?.() !== true) return false
    this.#end({ ok: false, failures: this.#failures, gaveWay: true })
    return true
  }

  #opened(connection: Connection, { address, index }: Pending): void {
    if (this.#ended) {
      this.#openedLate(connection, address)
      return
    }
    if (connection.status !== 'open') {
      this.#retreat('identify', 'the connection was closed at once', address)
      return
    }
    this.#events.opened?.(connection)
    this.#open = [...this.#open, { connection, address, index }]
    this.#schedule(staggerOpenMs)
  }

  #openedLate(connection: Connection, address: Multiaddr): void {
    if (!this.#owner.closed) {
      this.#worked = [...this.#worked, address]
      this.#events.duplicate?.(connection)
    }
    this.#drop(connection, 'the dial had ended')
    this.#settleTried()
  }

  #failed(failure: AddressFailure): void {
    this.#failures = [...this.#failures, failure]
    if (this.#ended) this.#settleTried()
    else this.#next()
  }

  /** Refused by the other side after the handshake, as libp2p does over its limits. */
  #closed(connection: Connection): void {
    const found = this.#open.find((other) => other.connection === connection)
    if (found === undefined) return
    this.#open = this.#open.filter((other) => other !== found)
    this.#retreat('identify', 'the connection was closed before the peer was identified', found.address)
  }

  #retreat(stage: 'identify', message: string, address: Multiaddr): void {
    this.#failures = [...this.#failures, { stage, type: 'ConnectionClosed', message, address: address.toString() }]
    this.#next()
  }

  #identified(connection: Connection): void {
    const won = this.#open.find((other) => other.connection === connection)
    if (this.#ended || won === undefined) return
    const others = this.#open.filter((other) => other !== won).map((other) => other.connection)
    this.#worked = [won, ...this.#open.filter((other) => other !== won)].map(({ address }) => address)
    const behind = this.#pending.filter(({ index }) => this.#events.callsOffSlower === true || index > won.index)
    this.#pending = this.#pending.filter((one) => !behind.includes(one))
    for (const { abort } of behind) abort.abort()
    this.#end({ ok: true, connection, others })
    for (const other of others) this.#drop(other, 'another address of the dial was faster')
    this.#settleTried()
  }

  /** All that had begun before the success has come to its end. */
  #settleTried(): void {
    if (this.#owner.closed || this.#worked.length === 0 || this.#pending.length > 0) return
    void this.#owner.close()
    this.#events.tried?.({ worked: this.#worked, failures: this.#failures })
  }

  #timeout(limitMs: number): void {
    if (this.#ended) {
      const message = `no answer within ${Math.round(limitMs)} ms`
      const late = this.#pending.map(({ address, abort }): AddressFailure => {
        abort.abort()
        return { stage: 'dial', type: 'TimeoutError', message, address: address.toString() }
      })
      this.#failures = [...this.#failures, ...late]
      this.#pending = []
      this.#settleTried()
      return
    }
    const open = this.#open
    const stage = open.length > 0 ? 'identify' : 'dial'
    const address = (open.length > 0 ? open : this.#pending).at(-1)?.address.toString()
    const waited: AddressFailure = {
      stage,
      type: 'TimeoutError',
      message: `no answer within ${Math.round(limitMs)} ms`,
      ...(address !== undefined && { address }),
    }
    this.#end({ ok: false, failures: [...this.#failures, waited] })
    for (const { connection } of open) this.#drop(connection, 'the peer was not identified in time')
  }

  #drop(connection: Connection, reason: string): void {
    const error = new Error(reason)
    if (this.#events.drop === undefined) connection.abort(error)
    else this.#events.drop(connection, error)
  }

  #end(outcome: DialOutcome): void {
    if (this.#ended) return
    this.#ended = true
    this.#open = []
    this.#cancelNext?.()
    if (!outcome.ok) void this.#owner.close()
    this.#events.done(outcome)
  }
}
