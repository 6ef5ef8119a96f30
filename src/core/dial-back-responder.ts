import type { SpanEffect } from '../catalogue/span-effect.ts'
import { addressAt, isDialable, networkOf, parseAddress } from './address.ts'
import type { ConnectionLedger } from './connection-ledger.ts'
import type { NetworkEffect } from './events.ts'
import type { DialBackRequest, DialBackResult } from './frames.ts'
import { isJoined } from './link.ts'
import { emitDialBack } from './spans/node.ts'

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
const bounds = {
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
export class DialBackResponder {
  readonly #ledger: ConnectionLedger
  readonly #isOwn: (host: string) => boolean
  #pending: readonly PendingDial[] = []
  #recent: readonly RecentDial[] = []
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
    this.#pending = [...this.#pending, pendingDial]
    return [{ do: 'dial.back', nonce, peer, address: pendingDial.address, limitMs: bounds.dialMs }]
  }

  onDialled(nonce: string, errorType: string): (NetworkEffect | SpanEffect)[] {
    const pendingDial = this.#pending.find((one) => one.nonce === nonce)
    if (pendingDial === undefined) return []
    this.#pending = this.#pending.filter((one) => one !== pendingDial)
    return reply(pendingDial, errorType === '' ? 'reachable' : 'unreachable', errorType)
  }

  #takeSlot(peer: string, network: string, now: number): boolean {
    this.#recent = this.#recent.filter(({ at }) => now - at < bounds.windowMs)
    const isTooSoon = this.#recent.some((one) => {
      return now - one.at < bounds.peerIntervalMs && (one.peer === peer || one.network === network)
    })
    if (isTooSoon || this.#pending.length >= bounds.concurrent || this.#recent.length >= bounds.perWindow) return false
    this.#recent = [...this.#recent, { peer, network, at: now }]
    return true
  }

  /** Answers and emits one refusal per second; without an answer the requester waits as well. */
  #refuse(pendingDial: PendingDial, errorType: string, now: number): (NetworkEffect | SpanEffect)[] {
    if (now - this.#refusedAt < bounds.refusalIntervalMs) return []
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
