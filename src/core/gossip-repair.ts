/**
 * What gossipsub has towards a peer: `none` when the peer speaks no gossipsub, as far as is known; `waiting` when
 * gossipsub is busy opening streams to others; `stuck` when the stream it is opening to this peer does not open and
 * keeps the others waiting; without its own stream (`missing`); without one from the peer (`no-inbound`); or without a
 * SUBSCRIBE from a member, all of which subscribe to the topic of digests.
 */
export type GossipState = 'none' | 'open' | GossipLack
export type GossipLack = 'waiting' | 'stuck' | 'missing' | 'no-inbound' | 'no-subscription'

export interface GossipObservation {
  readonly state: GossipState
  /** It is a member: a guest owes nobody a stream or a subscription. */
  readonly isMember: boolean
  /** Of a pair the lower peer id begins, so that the two do not undo each other's repair. */
  readonly isFirst: boolean
}

/** The answer of one look. Times are milliseconds. */
export type RepairStep =
  | { readonly do: 'nothing' }
  | { readonly do: 'heal'; readonly lack: GossipLack }
  /** A heal has worked. */
  | { readonly do: 'healed'; readonly lack: GossipLack; readonly heals: number; readonly tookMs: number }
  /** So many heals have failed: the pair is mute, and only a new connection can help. */
  | { readonly do: 'give-up'; readonly lack: GossipLack; readonly heals: number }

/**
 * What was there and is lost is not about to come by itself. What was never there may only be slow: a node that 150
 * peers join at once opens its streams one by one, and takes 17 s.
 */
const lostStreamMs = 250
const graceMs: { readonly [L in GossipLack]: number } = {
  missing: 1_000,
  'no-inbound': 20_000,
  'no-subscription': 20_000,
  waiting: 60_000,
  stuck: 0,
}
/** The other side's loss is seen by both ends; the one with the higher peer id leaves the repair to the other so long. */
const higherPeerDelayMs = 2_000
/** The n-th heal is given so long before it counts as failed: 3, 6, 12 s. */
const healTimeoutMs = 3_000
const maxHeals = 3
/** While a heal is under way its effect is looked for this often: a SUBSCRIBE that comes is no event. */
const healPollMs = 500
/** What breaks again so soon after a heal was not healed. */
const stableMs = 10_000
/** A pair that was given up and has not been closed is healed this seldom. */
const givenUpHealMs = 60_000

const nothing: RepairStep = { do: 'nothing' }

/** The repair of gossip with one peer, for as long as it is connected. */
export class GossipRepair {
  #wasOpen = false
  #lack: GossipLack | undefined
  #lackedAt = 0
  #openedAt = -Infinity
  #lastHealAt = -Infinity
  #heals = 0
  #hasGivenUp = false

  /** When the next look is due; Infinity while nothing is lacking. */
  dueAt = Infinity

  /** A heal is under way and may still work. */
  isHealing(now: number): boolean {
    return this.#lack !== undefined && this.#heals > 0 && now - this.#lastHealAt < healTimeoutMs
  }

  /** `mayHeal`: not too many others are being healed. */
  check({ state, isMember, isFirst }: GossipObservation, mayHeal: boolean, now: number): RepairStep {
    this.dueAt = Infinity
    if (state === 'none') return this.#reset()
    if (state === 'open') return this.#onOpen(now)
    if (state === 'no-inbound' && !isMember && !this.#wasOpen) return nothing
    if (this.#lack === undefined) this.#onLack(now)
    this.#lack = state
    const healAt = this.#nextHealAt(state, isFirst)
    if (now < healAt) return this.#scheduleCheck(healAt, now)
    if (!this.#hasGivenUp && (state === 'stuck' || (this.#heals >= maxHeals && state !== 'waiting'))) {
      this.#hasGivenUp = true
      this.#lastHealAt = now
      // Of a guest that never took a stream it is not known that it would: its connection may serve something else.
      const isFault = isMember || this.#wasOpen || state === 'stuck'
      return isFault
        ? { do: 'give-up', lack: state, heals: this.#heals }
        : this.#scheduleCheck(now + givenUpHealMs, now)
    }
    if (!mayHeal) return this.#scheduleCheck(now + healPollMs, now)
    this.#heals++
    this.#lastHealAt = now
    this.dueAt = now + healPollMs
    return { do: 'heal', lack: state }
  }

  /** The peer has stopped gossipsub, or never spoke it: nothing is lacking, and what was proven before counts no more. */
  #reset(): RepairStep {
    this.#wasOpen = false
    this.#lack = undefined
    this.#hasGivenUp = false
    return nothing
  }

  #onOpen(now: number): RepairStep {
    const lack = this.#lack
    const heals = this.#heals
    this.#wasOpen = true
    this.#lack = undefined
    this.#hasGivenUp = false
    if (lack === undefined) return nothing
    this.#openedAt = now
    if (heals === 0) return nothing
    return { do: 'healed', lack, heals, tookMs: Math.round(now - this.#lackedAt) }
  }

  #onLack(now: number): void {
    this.#lackedAt = now
    if (now - this.#openedAt >= stableMs) this.#heals = 0
  }

  #nextHealAt(lack: GossipLack, isFirst: boolean): number {
    if (this.#hasGivenUp) return this.#lastHealAt + givenUpHealMs
    if (this.#heals > 0) return this.#lastHealAt + healTimeoutMs * 2 ** (this.#heals - 1)
    const waitMs = this.#wasOpen && lack !== 'waiting' ? lostStreamMs : graceMs[lack]
    return this.#lackedAt + waitMs + (lack === 'missing' || isFirst ? 0 : higherPeerDelayMs)
  }

  #scheduleCheck(at: number, now: number): RepairStep {
    this.dueAt = this.#heals > 0 && !this.#hasGivenUp ? Math.min(at, now + healPollMs) : at
    return nothing
  }
}
