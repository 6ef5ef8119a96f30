import type { NetworkEvent } from '../core/events.ts'
import type { Owner } from '../core/owner.ts'
import type { UnsentMessage } from './gossip-streams.ts'

const intervalMs = 1_000

/** Reports unsent gossip messages at most once a second: one large message may exceed the limit of 300 neighbours. */
export class UnsentReports {
  readonly #owner: Owner
  readonly #deliver: (event: NetworkEvent) => void
  #lastMessage: UnsentMessage | undefined
  #count = 0
  #isPaused = false

  constructor(owner: Owner, deliver: (event: NetworkEvent) => void) {
    this.#owner = owner
    this.#deliver = deliver
  }

  add(message: UnsentMessage): void {
    this.#lastMessage = message
    this.#count++
    if (!this.#isPaused) this.#report()
  }

  #report(): void {
    if (this.#lastMessage === undefined || this.#owner.closed) return
    const event = { type: 'gossip.unsent', ...this.#lastMessage, count: this.#count } as const
    this.#lastMessage = undefined
    this.#count = 0
    this.#isPaused = true
    this.#owner.after(intervalMs, () => {
      this.#isPaused = false
      this.#report()
    })
    // Gossipsub is still sending at this point.
    queueMicrotask(() => this.#deliver(event))
  }
}
