import type { SpanEffect } from '../catalogue/span-effect.ts'
import { backoffPolicy, delayMs } from './backoff.ts'
import type { ConnectionLedger } from './connection-ledger.ts'
import type { DigestView, ViewEffect } from './digest-view.ts'
import type { NetworkEffect, NetworkEvent } from './events.ts'
import type { Machine, Random } from './machine.ts'
import type { DialRecord, Member } from './member.ts'
import { emitMemberDialFailed } from './spans/member.ts'

type Renewal = Extract<ViewEffect, { readonly do: 'renewed' }>
type DialResult = Extract<NetworkEvent, { readonly type: 'peer.dialled' }>

export type NeighbourEvent =
  /** A member joined the view, or started again or has other addresses. */
  | { readonly type: 'joined'; readonly peer: string }
  | ({ readonly type: 'renewed' } & Omit<Renewal, 'do'>)
  /** The last connection to this peer closed. */
  | { readonly type: 'disconnected'; readonly peer: string }
  | DialResult
  | { readonly type: 'tick' }

export type NeighbourEffect = Extract<NetworkEffect, { readonly do: 'dial.peer' }> | SpanEffect

export interface NeighbourOptions {
  readonly self: string
  /** Target number of links; links that others dial may exceed it. */
  readonly neighbours: number
  readonly random: Random
}

const dialLimitMs = 10_000
/** The lower peer id of an unlinked pair dials first, so that dials rarely cross. */
const deferMs = 3_000
const jitterMs = 500
/** Poll interval while links are missing. */
const pollMs = 1_000

/** Dials members, those with the fewest links first, until the node has its target number of links. */
export class Neighbours implements Machine<NeighbourEvent, NeighbourEffect> {
  readonly #options: NeighbourOptions
  readonly #view: DigestView
  readonly #ledger: ConnectionLedger
  #pollAt = Infinity

  constructor(options: NeighbourOptions, view: DigestView, ledger: ConnectionLedger) {
    this.#options = options
    this.#view = view
    this.#ledger = ledger
  }

  handle(event: NeighbourEvent, now: number): NeighbourEffect[] {
    switch (event.type) {
      case 'joined':
        this.#onJoined(event.peer, now)
        return []
      case 'renewed':
        this.#onRenewed(event, now)
        return []
      case 'disconnected':
        this.#onDisconnected(event.peer, now)
        return []
      case 'peer.dialled':
        return this.#onDialled(event, now)
      case 'tick':
        return this.#poll(now)
    }
  }

  deadline(): number {
    return this.#pollAt
  }

  #onJoined(peer: string, now: number): void {
    const record = this.#view.get(peer)?.dials
    if (record === undefined) return
    record.dialFailures = 0
    record.dialAfter = this.#dialTurnAt(peer, now)
    this.#pollSoon(now)
  }

  #onRenewed({ peer, hasRestarted, hasMoved }: Omit<Renewal, 'do'>, now: number): void {
    const record = this.#view.get(peer)?.dials
    if (record === undefined) return
    if (hasRestarted) record.answeredAt = -Infinity
    allowRedial(record, hasMoved, now)
  }

  /**
   * Both ends may redial, so they take turns as for a new member. A peer that hangs up soon after answering, for example
   * at its peer limit, counts as a failure, as for seeds.
   */
  #onDisconnected(peer: string, now: number): void {
    const record = this.#view.get(peer)?.dials
    if (record !== undefined) {
      if (now - record.answeredAt < backoffPolicy.steadyMs) this.#noteFailure(record, now)
      else record.dialFailures = 0
      record.dialAfter = Math.max(record.dialAfter, this.#dialTurnAt(peer, now))
    }
    this.#pollSoon(now)
  }

  #onDialled(result: DialResult, now: number): SpanEffect[] {
    const member = this.#view.get(result.peer)
    if (member === undefined) return []
    const record = member.dials
    const wasDialling = record.isDialling
    record.isDialling = false
    this.#pollSoon(now)
    if (result.ok) {
      record.answeredAt = now
      record.redials = 0
      return []
    }
    this.#noteFailure(record, now)
    // A late result belongs to a dial that already counted: at most one span per dial.
    if (!wasDialling || !shouldEmit(record.dialFailures)) return []
    return [emitMemberDialFailed(member, result.failure, now)]
  }

  #noteFailure(record: DialRecord, now: number): void {
    record.dialFailures++
    record.dialAfter = now + delayMs(record.dialFailures, this.#options.random())
  }

  #poll(now: number): NeighbourEffect[] {
    if (now < this.#pollAt) return []
    const missingLinks = this.#options.neighbours - this.#ledger.linkedPeers.length
    const unlinked = this.#unlinked()
    this.#pollAt = missingLinks > 0 && unlinked.length > 0 ? now + pollMs : Infinity
    // A dial without a result counts as pending only until its timeout.
    const pendingDials = unlinked.filter(({ dials }) => dials.isDialling && dials.dialAfter > now).length
    if (missingLinks <= pendingDials) return []
    const ready = unlinked.filter(({ digest, dials }) => dials.dialAfter <= now && digest.addresses.length > 0)
    return this.#shuffled(ready)
      .toSorted((a, b) => a.digest.links.length - b.digest.links.length)
      .slice(0, missingLinks - pendingDials)
      .map((member) => dial(member, now))
  }

  #unlinked(): Member[] {
    return this.#view.members().filter(({ digest }) => !this.#ledger.isConnected(digest.peer))
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

/** One span per step of the backoff, then one per ten failures. */
function shouldEmit(failures: number): boolean {
  return failures <= backoffPolicy.stepsMs.length || failures % backoffPolicy.attempts === 0
}

function dial({ digest: { peer, addresses }, dials: record }: Member, now: number): NeighbourEffect {
  record.isDialling = true
  record.dialledAt = now
  record.dialAfter = now + dialLimitMs + pollMs
  return { do: 'dial.peer', peer, addresses, limitMs: dialLimitMs }
}

/**
 * Backoff for a member that announces new addresses or a new start in every digest, until it answers: the addresses may
 * belong to others. Guesses.
 */
const redialIntervalMs = 10_000
const maxRedialIntervalMs = 1_800_000

/** Earlier failures do not apply to new addresses or a new start, and a pending dial uses the old addresses. */
export function allowRedial(record: DialRecord, hasMoved: boolean, now: number): void {
  const sinceMs = now - record.lastRedialAt
  if (sinceMs < Math.min(maxRedialIntervalMs, redialIntervalMs * 2 ** Math.max(0, record.redials - 1))) return
  record.redials = sinceMs < maxRedialIntervalMs ? record.redials + 1 : 1
  record.lastRedialAt = now
  record.dialAfter = now
  record.dialFailures = 0
  if (hasMoved) record.isDialling = false
}
