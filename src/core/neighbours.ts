import type { SpanEffect } from '../catalogue/span-effect.ts'
import { backoffPolicy, waitMs } from './backoff.ts'
import type { ConnectionLedger } from './connection-ledger.ts'
import type { DigestView } from './digest-view.ts'
import type { DialFailure, NetworkEffect } from './events.ts'
import type { Random } from './machine.ts'
import type { Member } from './member.ts'
import { emitMemberDialFailed } from './spans/member.ts'

export interface NeighbourOptions {
  readonly self: string
  /** Target number of links; links that others dial may exceed it. */
  readonly targetLinks: number
  readonly random: Random
}

const dialLimitMs = 10_000
/** The lower peer id of an unlinked pair dials first, so that dials rarely cross. */
const deferMs = 3_000
const jitterMs = 500
/** Poll interval while links are missing. */
const pollMs = 1_000

/** Dials members, those with the fewest links first, until the node has its target number of links. */
export class Neighbours {
  readonly #options: NeighbourOptions
  readonly #view: DigestView
  readonly #ledger: ConnectionLedger
  #pollAt = Infinity

  constructor(options: NeighbourOptions, view: DigestView, ledger: ConnectionLedger) {
    this.#options = options
    this.#view = view
    this.#ledger = ledger
  }

  deadline(): number {
    return this.#pollAt
  }

  /** A member joined the view. */
  onJoined(peer: string, now: number): void {
    const member = this.#view.get(peer)
    if (member === undefined) return
    member.dialFailures = 0
    member.dialAfter = this.#dialTurnAt(peer, now)
    this.#pollSoon(now)
  }

  /**
   * The last connection to this peer closed. Both ends may redial, so they take turns as for a new member. A peer that
   * hangs up soon after answering, for example at its peer limit, counts as a failure, as for seeds.
   */
  onDisconnected(peer: string, now: number): void {
    const member = this.#view.get(peer)
    if (member !== undefined) {
      if (now - member.answeredAt < backoffPolicy.steadyMs) this.#noteFailure(member, now)
      else member.dialFailures = 0
      member.dialAfter = Math.max(member.dialAfter, this.#dialTurnAt(peer, now))
    }
    this.#pollSoon(now)
  }

  /** Result of a dial; `failure` is undefined on success. */
  onDialled(peer: string, failure: DialFailure | undefined, now: number): SpanEffect[] {
    const member = this.#view.get(peer)
    if (member === undefined) return []
    const wasDialling = member.isDialling
    member.isDialling = false
    this.#pollSoon(now)
    if (failure === undefined) {
      member.answeredAt = now
      member.redials = 0
      return []
    }
    this.#noteFailure(member, now)
    // A late result belongs to a dial that already counted: at most one span per dial.
    return wasDialling && shouldEmit(member.dialFailures) ? [emitMemberDialFailed(member, failure, now)] : []
  }

  #noteFailure(member: Member, now: number): void {
    member.dialFailures++
    member.dialAfter = now + waitMs(backoffPolicy, member.dialFailures, this.#options.random())
  }

  poll(now: number): NetworkEffect[] {
    if (now < this.#pollAt) return []
    const missingLinks = this.#options.targetLinks - this.#ledger.linkedPeers.length
    const unlinked = this.#view.members().filter((member) => !this.#ledger.isConnected(member.digest.peer))
    this.#pollAt = missingLinks > 0 && unlinked.length > 0 ? now + pollMs : Infinity
    // A dial without a result counts as pending only until its timeout.
    const pendingDials = unlinked.filter((member) => member.isDialling && member.dialAfter > now).length
    if (missingLinks <= pendingDials) return []
    const ready = unlinked.filter((member) => member.dialAfter <= now && member.digest.addresses.length > 0)
    return this.#shuffled(ready)
      .toSorted((a, b) => a.digest.links.length - b.digest.links.length)
      .slice(0, missingLinks - pendingDials)
      .map((member) => dial(member, now))
  }

  #pollSoon(now: number): void {
    this.#pollAt = Math.min(this.#pollAt, now + pollMs)
  }

  #dialTurnAt(peer: string, now: number): number {
    const { self, random } = this.#options
    return now + (self < peer ? 0 : deferMs) + jitterMs * random()
  }

  #shuffled(members: readonly Member[]): Member[] {
    const keyed = members.map((member) => ({ member, key: this.#options.random() }))
    return keyed.toSorted((a, b) => a.key - b.key).map(({ member }) => member)
  }
}

/** One span per step of the back-off, then one per ten failures. */
function shouldEmit(failures: number): boolean {
  return failures <= backoffPolicy.stepsMs.length || failures % backoffPolicy.attempts === 0
}

function dial(member: Member, now: number): NetworkEffect {
  member.isDialling = true
  member.dialledAt = now
  member.dialAfter = now + dialLimitMs + pollMs
  const { peer, addresses } = member.digest
  return { do: 'dial.peer', peer, addresses, limitMs: dialLimitMs }
}
