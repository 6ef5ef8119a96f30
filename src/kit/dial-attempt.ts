import type { Connection, IdentifyResult } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Owner } from '../core/owner.ts'
import type { NetworkComponents } from './components.ts'
import { type AddressFailure, failureOf } from './dial-failure.ts'

export type DialOutcome =
  /** `others`: connections over other addresses, which are aborted when `done` returns. */
  | { readonly ok: true; readonly connection: Connection; readonly others: readonly Connection[] }
  | { readonly ok: false; readonly failures: readonly AddressFailure[] }

/** Between the starts of two addresses: the Connection Attempt Delay that RFC 8305 §5 recommends. */
const staggerMs = 250
/** While one address has a connection that is not identified yet, the next one waits longer: it will hardly be needed. */
const staggerOpenMs = 1_000

/**
 * One attempt at one peer over several addresses side by side. It succeeds when a connection is identified: over QUIC
 * a dial succeeds although the other side has refused the connection. What opens later is closed. It does not go
 * through libp2p's dial queue, which tries addresses one after the other, 10 s each when a QUIC port is dead, and
 * shares its result with other dials.
 *
 * A native QUIC dial cannot be called off; when it succeeds after the signal, libp2p's upgrader drops its connection.
 */
export class DialAttempt {
  readonly #components: NetworkComponents
  /** Of this attempt alone: what it holds goes with its end. */
  readonly #owner: Owner
  readonly #addresses: readonly Multiaddr[]
  readonly #done: (outcome: DialOutcome) => void
  readonly #onOpen: (connection: Connection) => void
  /** Bounded by the addresses, like the failures. */
  #open: readonly Connection[] = []
  #failures: readonly AddressFailure[] = []
  /** Dials under way. Each has its own signal: TCP goes on heeding it after the connection has been handed out. */
  #pending: readonly AbortController[] = []
  #started = 0
  #cancelNext: (() => void) | undefined
  #ended = false

  constructor(
    components: NetworkComponents,
    owner: Owner,
    addresses: readonly Multiaddr[],
    done: (outcome: DialOutcome) => void,
    onOpen: (connection: Connection) => void = () => {},
  ) {
    this.#components = components
    this.#owner = owner
    this.#addresses = addresses
    this.#done = done
    this.#onOpen = onOpen
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
      for (const abort of this.#pending) abort.abort()
    })
    this.#owner.after(limitMs, () => this.#timeout(limitMs))
    this.#next()
  }

  #next(): void {
    if (this.#ended) return
    this.#cancelNext?.()
    this.#cancelNext = undefined
    const address = this.#addresses[this.#started]
    if (address === undefined) {
      if (this.#pending.length === 0 && this.#open.length === 0) this.#end({ ok: false, failures: this.#failures })
      return
    }
    this.#started++
    const abort = new AbortController()
    this.#pending = [...this.#pending, abort]
    const settled = () => {
      this.#pending = this.#pending.filter((other) => other !== abort)
    }
    this.#dial(address, abort.signal)
      .finally(settled)
      .then(
        (connection) => this.#opened(connection),
        (error: unknown) => this.#failed(failureOf(error)),
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
    return this.#components.transportManager.dial(address, { signal })
  }

  #opened(connection: Connection): void {
    if (this.#ended) {
      connection.abort(new Error('the dial had ended'))
      return
    }
    if (connection.status !== 'open') {
      this.#retreat('identify', 'the connection was closed at once')
      return
    }
    this.#onOpen(connection)
    this.#open = [...this.#open, connection]
    this.#schedule(staggerOpenMs)
  }

  #failed(failure: AddressFailure): void {
    this.#failures = [...this.#failures, failure]
    this.#next()
  }

  /** Refused by the other side after the handshake, as libp2p does over its limits. */
  #closed(connection: Connection): void {
    if (!this.#open.includes(connection)) return
    this.#open = this.#open.filter((other) => other !== connection)
    this.#retreat('identify', 'the connection was closed before the peer was identified')
  }

  #retreat(stage: 'identify', message: string): void {
    this.#failures = [...this.#failures, { stage, type: 'ConnectionClosed', message }]
    this.#next()
  }

  #identified(connection: Connection): void {
    if (this.#ended || !this.#open.includes(connection)) return
    const others = this.#open.filter((other) => other !== connection)
    this.#end({ ok: true, connection, others })
    for (const other of others) other.abort(new Error('another address of the dial was faster'))
  }

  #timeout(limitMs: number): void {
    const stage = this.#open.length > 0 ? 'identify' : 'dial'
    const waited = { stage, type: 'TimeoutError', message: `no answer within ${Math.round(limitMs)} ms` } as const
    const open = this.#open
    this.#end({ ok: false, failures: [...this.#failures, waited] })
    for (const connection of open) connection.abort(new Error('the peer was not identified in time'))
  }

  #end(outcome: DialOutcome): void {
    if (this.#ended) return
    this.#ended = true
    this.#open = []
    void this.#owner.close()
    this.#done(outcome)
  }
}
