import type { SpanEffect } from '../catalogue/span-effect.ts'
import { networkOf, parseAddress } from './address.ts'
import type { ConnectionLedger } from './connection-ledger.ts'
import { addressAt, dialBackSpan, isDialable } from './dial-back-address.ts'
import type { NetworkEffect } from './events.ts'
import type { DialBackRequest, DialBackResult } from './frames.ts'
import { isJoined } from './link.ts'

/** A dial on behalf of a neighbour. */
interface Answering {
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

/** Guesses. An asker may connect again under another name: so peers, their networks and all together have a limit. */
const bounds = {
  atOnce: 4,
  dialMs: 3_000,
  againMs: 4_000,
  windowMs: 10_000,
  perWindow: 10,
  refusalMs: 1_000,
} as const
const firstUnprivilegedPort = 1_024

/**
 * Dials neighbours back that ask for it, few and seldom: at the IP address of the connection, which the asker does not
 * choose, and never at an own one. A privileged port is dialled only where this node has reached the asker there before.
 */
export class DialBackResponder {
  readonly #ledger: ConnectionLedger
  readonly #isOwn: (host: string) => boolean
  #answering: readonly Answering[] = []
  #recent: readonly RecentDial[] = []
  #refusedAt = -Infinity

  constructor(ledger: ConnectionLedger, isOwn: (host: string) => boolean) {
    this.#ledger = ledger
    this.#isOwn = isOwn
  }

  dial(connection: string, { nonce, transport, port }: DialBackRequest, now: number): (NetworkEffect | SpanEffect)[] {
    const found = this.#ledger.find(connection)
    if (found === undefined || !isJoined(found[1])) return []
    const [{ peer }, { info }] = found
    const { host, isRelayed, port: linkPort } = parseAddress(info.address)
    const answering = { nonce, peer, connection, address: addressAt(host, transport, port) }
    const isReachedThere = info.direction === 'outbound' && linkPort === port
    const isPermitted = port >= firstUnprivilegedPort || isReachedThere
    if (isRelayed || !isDialable(host) || this.#isOwn(host) || !isPermitted)
      return this.#refuse(answering, 'NotDialable', now)
    if (!this.#takePlace(peer, networkOf(host), now)) return this.#refuse(answering, 'Busy', now)
    this.#answering = [...this.#answering, answering]
    return [{ do: 'dial.back', nonce, peer, address: answering.address, limitMs: bounds.dialMs }]
  }

  dialled(nonce: string, errorType: string): (NetworkEffect | SpanEffect)[] {
    const answering = this.#answering.find((one) => one.nonce === nonce)
    if (answering === undefined) return []
    this.#answering = this.#answering.filter((one) => one !== answering)
    return report(answering, errorType === '' ? 'reachable' : 'unreachable', errorType)
  }

  #takePlace(peer: string, network: string, now: number): boolean {
    this.#recent = this.#recent.filter(({ at }) => now - at < bounds.windowMs)
    const isAgain = this.#recent.some((one) => {
      return now - one.at < bounds.againMs && (one.peer === peer || one.network === network)
    })
    if (isAgain || this.#answering.length >= bounds.atOnce || this.#recent.length >= bounds.perWindow) return false
    this.#recent = [...this.#recent, { peer, network, at: now }]
    return true
  }

  /** One in a second is answered and emitted; others count as unanswered, which makes the asker wait as well. */
  #refuse(answering: Answering, errorType: string, now: number): (NetworkEffect | SpanEffect)[] {
    if (now - this.#refusedAt < bounds.refusalMs) return []
    this.#refusedAt = now
    return report(answering, 'refused', errorType)
  }
}

/** The asker learns the outcome alone; the span on this side has the reason. */
function report(to: Answering, outcome: DialBackResult['outcome'], errorType: string): (NetworkEffect | SpanEffect)[] {
  const { nonce, connection, peer, address } = to
  return [
    { do: 'send', connection, frame: { type: 'dialback.result', result: { nonce, outcome } } },
    dialBackSpan({ side: 'responder', outcome, peer, address, errorType }),
  ]
}
