/** A stream that the node has waited for. */
export interface AwaitedStream {
  readonly protocol: string
  readonly waitedMs: number
}

/** How long a check waits for its stream, milliseconds. Hellos took 3 s on a machine with ten times its load. */
export const checkLimitMs = 5_000
/**
 * Interval of checks of a guest, which has no link stream to probe. With the limit, a guest that opens no stream any more
 * is found within 13 s; libp2p’s own monitor takes 10 s, and also pings members.
 */
const intervalMs = 8_000

/** The protocol of the stream that a check opens: every libp2p peer answers its negotiation, with or without ping. */
export const checkProtocol = '/ipfs/ping/1.0.0'

/**
 * Finds a connection on which no stream opens any more: the peer grants none, or is frozen. The connection looks open,
 * and a wait for a stream on it never ends. The node opens a stream to see: when another one is slow, and on the
 * connection of a guest at intervals.
 */
export class StreamCheck {
  #nextAt: number
  #running: { readonly since: number; readonly awaited: AwaitedStream | undefined } | undefined
  #isVoid = false

  constructor(openedAt: number) {
    this.#nextAt = openedAt + intervalMs
  }

  /** When the next regular check is due; Infinity during one. */
  get dueAt(): number {
    return this.#running === undefined ? this.#nextAt : Infinity
  }

  /** Whether a check begins now: none is running. `awaited`: the slow stream that is the reason. */
  begin(now: number, awaited?: AwaitedStream): boolean {
    if (this.#running !== undefined) return false
    this.#running = { since: now, awaited }
    this.#isVoid = false
    return true
  }

  /** The check ended; returns the stream that the node has waited for in vain, if there is one. */
  end(hasOpened: boolean, now: number): AwaitedStream | undefined {
    const running = this.#running
    if (running === undefined) return undefined
    this.#running = undefined
    this.#nextAt = now + intervalMs
    if (hasOpened || this.#isVoid) return undefined
    const { protocol, waitedMs } = running.awaited ?? { protocol: checkProtocol, waitedMs: 0 }
    return { protocol, waitedMs: Math.round(waitedMs + now - running.since) }
  }

  /** This node slept: a check that runs now proves nothing. */
  forgive(ms: number): void {
    this.#isVoid = true
    this.#nextAt += ms
  }
}
