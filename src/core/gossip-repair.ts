/**
 * State of gossipsub towards a peer: `none` if the peer is not known to speak gossipsub; `waiting` while gossipsub
 * opens its stream or has yet to; `missing` without an outbound stream; `no-inbound` without a stream from the peer; `no-subscription` without a SUBSCRIBE from a member to
 * the digest topic, or from a guest that this node dialled to any topic.
 */
export type GossipState = 'none' | 'open' | GossipLack
export type GossipLack = 'waiting' | 'missing' | 'no-inbound' | 'no-subscription'

export interface GossipObservation {
  readonly state: GossipState
  /** A guest need not open a stream or subscribe. */
  readonly isMember: boolean
  /** The lower peer id of a pair starts, so that the two do not undo each other's repair. */
  readonly isFirst: boolean
}

/** The result of one check. Times are milliseconds. */
export type RepairStep =
  | { readonly do: 'nothing' }
  | { readonly do: 'heal'; readonly lack: GossipLack }
  /** A heal succeeded. */
  | { readonly do: 'healed'; readonly lack: GossipLack; readonly heals: number; readonly tookMs: number }
  /** All heals failed: the pair is mute, and only a new connection can help. */
  | { readonly do: 'give-up'; readonly lack: GossipLack; readonly heals: number }

/**
 * A lost stream does not come back by itself. A stream that was never open may only be slow: a node that 150 peers join
 * at once opens its streams one by one, which takes 17 s.
 */
const lostStreamMs = 250
const graceMs: { readonly [L in GossipLack]: number } = {
  missing: 1_000,
  'no-inbound': 20_000,
  'no-subscription': 20_000,
  waiting: 60_000,
}
/**
 * A guest may announce its topics on its first connection only, as rust does. While it still has a connection to the
 * process of this node before its restart, which QUIC ends after 10 s, the next is not the first.
 */
const guestSubscriptionMs = 10_000
/** Both ends see a loss of the other side; the higher peer id leaves the repair to the other end for this long. */
const higherPeerDelayMs = 2_000
/** Timeout of a heal, doubled each time: 3, 6, 12 s. */
const healTimeoutMs = 3_000
const maxHeals = 3
/** Poll interval during a heal, because the arrival of a SUBSCRIBE is not an event. */
const healPollMs = 500
/** A loss this soon after a heal means that the heal failed. */
const stableMs = 10_000
/** Interval of heals for a pair that was given up but not closed. */
const retryMs = 60_000

const nothing: RepairStep = { do: 'nothing' }

/** Repairs gossip with one peer while it is connected. */
export class GossipRepair {
  #wasOpen = false
  #lack: GossipLack | undefined
  #lackedAt = 0
  #openedAt = -Infinity
  #lastHealAt = -Infinity
  #heals = 0
  #hasGivenUp = false

  /** When the next check is due; Infinity while gossip works. */
  dueAt = Infinity

  /** A heal is in progress and may still succeed. */
  isHealing(now: number): boolean {
    return this.#lack !== undefined && this.#heals > 0 && now - this.#lastHealAt < healTimeoutMs
  }

  /** `mayHeal`: fewer than the largest number of concurrent heals are in progress. */
  check({ state, isMember, isFirst }: GossipObservation, mayHeal: boolean, now: number): RepairStep {
    this.dueAt = Infinity
    if (state === 'none') return this.#reset()
    if (state === 'open') return this.#onOpen(now)
    if (state === 'no-subscription' && !isMember) return this.#checkGuestSubscription(now)
    if (state === 'no-inbound' && !isMember && !this.#wasOpen) return nothing
    if (this.#lack === undefined) this.#onLack(now)
    this.#lack = state
    const healAt = this.#nextHealAt(state, isFirst)
    if (now < healAt) return this.#recheckAt(healAt, now)
    if (!this.#hasGivenUp && this.#heals >= maxHeals && state !== 'waiting') {
      this.#hasGivenUp = true
      this.#lastHealAt = now
      // A guest that never accepted a stream may use its connection for something else.
      const isFault = isMember || this.#wasOpen
      return isFault ? { do: 'give-up', lack: state, heals: this.#heals } : this.#recheckAt(now + retryMs, now)
    }
    if (!mayHeal) return this.#recheckAt(now + healPollMs, now)
    this.#heals++
    this.#lastHealAt = now
    this.dueAt = now + healPollMs
    return { do: 'heal', lack: state }
  }

  /** Heals cannot help: only a new connection can. A guest whose streams were never lost has unsubscribed. */
  #checkGuestSubscription(now: number): RepairStep {
    const hasUnsubscribed = this.#wasOpen && this.#lack === undefined
    if (hasUnsubscribed || this.#hasGivenUp) return nothing
    if (this.#lack === undefined) this.#onLack(now)
    this.#lack = 'no-subscription'
    const giveUpAt = this.#lackedAt + guestSubscriptionMs
    if (now < giveUpAt) return this.#recheckAt(giveUpAt, now)
    this.#hasGivenUp = true
    return { do: 'give-up', lack: this.#lack, heals: this.#heals }
  }

  /** The peer has stopped gossipsub or never spoke it: nothing to repair, and earlier state is void. */
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
    if (this.#hasGivenUp) return this.#lastHealAt + retryMs
    if (this.#heals > 0) return this.#lastHealAt + healTimeoutMs * 2 ** (this.#heals - 1)
    const delayMs = this.#wasOpen && lack !== 'waiting' ? lostStreamMs : graceMs[lack]
    return this.#lackedAt + delayMs + (lack === 'missing' || isFirst ? 0 : higherPeerDelayMs)
  }

  #recheckAt(at: number, now: number): RepairStep {
    this.dueAt = this.#heals > 0 && !this.#hasGivenUp ? Math.min(at, now + healPollMs) : at
    return nothing
  }
}

/**
 * Libp2p runs identify once, when a connection opens, with a timeout of 5 s. That is too short on a busy machine, and
 * gossipsub never opens its stream without identify. Retries follow after 6 s, and 12, 24 and 48 s after that. A peer
 * that never answers is a guest without identify.
 */
const firstRetryMs = 6_000
const maxRetries = 4

/** Schedules identify retries on one connection. */
export class IdentifyRetry {
  #retries = 0
  #dueAt: number

  constructor(openedAt: number) {
    this.#dueAt = openedAt + firstRetryMs
  }

  /** When the next retry is due; Infinity after the last one. */
  get dueAt(): number {
    return this.#retries < maxRetries ? this.#dueAt : Infinity
  }

  /** Number of the retry that is due now, from 1; undefined if no retry is due. */
  takeDueRetry(now: number): number | undefined {
    if (now < this.dueAt) return undefined
    this.#retries++
    this.#dueAt = now + firstRetryMs * 2 ** this.#retries
    return this.#retries
  }
}
