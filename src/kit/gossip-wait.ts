import { limits } from '../core/limits.ts'
import type { Clock } from '../core/machine.ts'
import type { Owner } from '../core/owner.ts'
import type { ConnectionRecord, Connections } from './connections.ts'
import { pause } from './pause.ts'

/** A message waits so long at most, and for one connection all messages together no longer. */
const waitMs = 2_000
/** What gossipsub has lacked for longer than this it is not about to have. */
const lackMs = 5_000
const lookMs = 20

export interface GossipWaitOptions {
  readonly connections: Pick<Connections, 'lackingGossip' | 'connectionInfos'>
  readonly owner: Owner
  readonly clock: Clock
  /** Whether a peer is a member with a joined link: nobody waits for others. */
  readonly joined: (peer: string) => boolean
}

/**
 * What is published before gossipsub has its stream to a peer is lost on the way there, with nobody told. So messages
 * wait for peers that gossipsub has just met or is being healed for; in the usual case there is none.
 */
export class GossipWait {
  readonly #options: GossipWaitOptions
  /** One wait for all who wait, so that they go on in the order in which they came. */
  #waitUntilReachable: Promise<void> | undefined
  #waiting = 0

  constructor(options: GossipWaitOptions) {
    this.#options = options
  }

  /** Resolves after 2 s at the latest. Once `limits.publishesWaiting` wait, all go on. */
  whole(): Promise<void> {
    if (this.#waitUntilReachable === undefined && this.#awaited().length === 0) return Promise.resolve()
    this.#waiting++
    this.#waitUntilReachable ??= this.#wait().finally(() => {
      this.#waitUntilReachable = undefined
      this.#waiting = 0
    })
    return this.#waitUntilReachable
  }

  async #wait(): Promise<void> {
    const { owner, clock, connections } = this.#options
    const until = clock.now() + waitMs
    let awaited = this.#awaited()
    while (awaited.length > 0 && this.#waiting < limits.publishesWaiting && clock.now() < until) {
      const from = clock.now()
      await pause(owner, lookMs)
      if (owner.closed) return
      for (const record of awaited) record.awaitedMs += clock.now() - from
      connections.connectionInfos()
      awaited = this.#awaited()
    }
  }

  #awaited(): readonly ConnectionRecord[] {
    const { connections, joined } = this.#options
    const worth = ({ awaitedMs, connection }: ConnectionRecord) =>
      awaitedMs < waitMs && joined(connection.remotePeer.toString())
    return connections.lackingGossip(lackMs).filter(worth)
  }
}
