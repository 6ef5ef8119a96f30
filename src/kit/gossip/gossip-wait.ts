import { limits } from '../../core/limits.ts'
import type { Clock } from '../../core/machine.ts'
import type { Owner } from '../../core/owner.ts'
import { pause, raceAbort } from '../clock.ts'
import type { ConnectionRecord, Connections } from '../connections/connections.ts'

/** Longest wait of a message, and of all messages together for one connection. */
const waitMs = 2_000
/** A stream that gossipsub has lacked for longer is unlikely to open soon. */
const lackMs = 5_000
const pollMs = 20

interface GossipWaitOptions {
  readonly connections: Pick<Connections, 'lackingGossip' | 'reconcile'>
  readonly owner: Owner
  readonly clock: Clock
  /** Whether a peer is a member with a joined link: messages wait for no other peer. */
  readonly isJoined: (peer: string) => boolean
}

/**
 * A message published before gossipsub has its stream to a peer never reaches it, without an error. So messages wait
 * for peers whose gossip streams are opening or being healed; usually there are none.
 */
export class GossipWait {
  readonly #options: GossipWaitOptions
  /** One wait for all messages, so that they keep their order. */
  #pending: Promise<void> | undefined
  #waiting = 0

  constructor(options: GossipWaitOptions) {
    this.#options = options
  }

  /**
   * Resolves after 2 s at the latest, or when `limits.publishesWaiting` messages wait. Rejects with the reason of the
   * signal when it aborts first; the message then no longer counts as waiting.
   */
  waitUntilReachable(signal?: AbortSignal): Promise<void> {
    if (this.#pending === undefined && this.#lacking().length === 0) return Promise.resolve()
    this.#waiting++
    this.#pending ??= this.#wait().finally(() => {
      this.#pending = undefined
      this.#waiting = 0
    })
    const pending = this.#pending
    return raceAbort(signal, pending).catch((error: unknown) => {
      if (this.#pending === pending) this.#waiting--
      throw error
    })
  }

  async #wait(): Promise<void> {
    const { owner, clock, connections } = this.#options
    const until = clock.now() + waitMs
    let lacking = this.#lacking()
    const isWorthwhile = () => this.#waiting > 0 && this.#waiting < limits.publishesWaiting && clock.now() < until
    while (lacking.length > 0 && isWorthwhile()) {
      const polledAt = clock.now()
      await pause(owner, pollMs)
      if (owner.closed) return
      for (const record of lacking) record.waitedMs += clock.now() - polledAt
      connections.reconcile()
      lacking = this.#lacking()
    }
  }

  #lacking(): readonly ConnectionRecord[] {
    const { connections, isJoined } = this.#options
    const isWaitedFor = ({ waitedMs, connection }: ConnectionRecord) =>
      waitedMs < waitMs && isJoined(connection.remotePeer.toString())
    return connections.lackingGossip(lackMs).filter(isWaitedFor)
  }
}
