import type { NetworkEvent } from '../core/events.ts'
import type { Owner } from '../core/owner.ts'
import type { UnsentMessage } from './gossip-streams.ts'

const apartMs = 1_000

/** Reports messages that gossipsub did not send, at most once a second: one large message may not fit 300 neighbours. */
export class UnsentReports {
  readonly #owner: Owner
  readonly #deliver: (event: NetworkEvent) => void
  #last: UnsentMessage | undefined
  #count = 0
  #waiting = false

  constructor(owner: Owner, deliver: (event: NetworkEvent) => void) {
    this.#owner = owner
    this.#deliver = deliver
  }

  add(message: UnsentMessage): void {
    this.#last = message
    this.#count++
    if (!this.#waiting) this.#report()
  }

  #report(): void {
    if (this.#last === undefined || this.#owner.closed) return
    const event = { type: 'gossip.unsent', ...this.#last, count: this.#count } as const
    this.#last = undefined
    this.#count = 0
    this.#waiting = true
    this.#owner.after(apartMs, () => {
      this.#waiting = false
      this.#report()
    })
    // Gossipsub is in the middle of sending.
    queueMicrotask(() => this.#deliver(event))
  }
}
