import type { SpanEffect } from '../catalogue/span-effect.ts'
import { backoffPolicy, delayMs } from './backoff.ts'
import type { ConnectionLedger } from './connection-ledger.ts'
import { allowRedial, type DialRecord, newDialRecord } from './dial-record.ts'
import type { DigestView, ViewEffect } from './digest-view.ts'
import type { NetworkEffect, NetworkEvent } from './events.ts'
import type { Digest } from './frames.ts'
import type { Machine, Random } from './machine.ts'
import { emitMemberDialFailed } from './spans/member.ts'

type Renewal = Extract<ViewEffect, { readonly do: 'renewed' }>
type DialResult = Extract<NetworkEvent, { readonly type: 'peer.dialled' }>

export type NeighbourEvent =
  /** A member joined the view, started again or has other addresses, or was released by the view. */
  | { readonly type: 'joined' | 'forgotten'; readonly peer: string }
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

/** A member and its dials. */
interface Candidate {
  readonly digest: Digest
  readonly record: DialRecord
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
  /**
   * One record per entry of the view: `joined` adds it and `forgotten` removes it, so the `members` registry bounds and
   * counts both. An owned map would audit the same number a second time.
   */
  readonly #records = new Map<string, DialRecord>()
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
      case 'forgotten':
        this.#records.delete(event.peer)
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

  /** Number of dial records. */
  get size(): number {
    return this.#records.size
  }

  #onJoined(peer: string, now: number): void {
    const record = this.#records.get(peer) ?? newDialRecord()
    this.#records.set(peer, record)
    record.dialFailures = 0
    record.dialAfter = this.#dialTurnAt(peer, now)
    this.#pollSoon(now)
  }

  #onRenewed({ peer, hasRestarted, hasMoved }: Omit<Renewal, 'do'>, now: number): void {
    const record = this.#records.get(peer)
    if (record === undefined) return
    if (hasRestarted) record.answeredAt = -Infinity
    allowRedial(record, hasMoved, now)
  }

  /**
   * Both ends may redial, so they take turns as for a new member. A peer that hangs up soon after answering, for example
   * at its peer limit, counts as a failure, as for seeds.
   */
  #onDisconnected(peer: string, now: number): void {
    const record = this.#records.get(peer)
    if (record !== undefined) {
      if (now - record.answeredAt < backoffPolicy.steadyMs) this.#noteFailure(record, now)
      else record.dialFailures = 0
      record.dialAfter = Math.max(record.dialAfter, this.#dialTurnAt(peer, now))
    }
    this.#pollSoon(now)
  }

  #onDialled(result: DialResult, now: number): SpanEffect[] {
    const record = this.#records.get(result.peer)
    const member = this.#view.get(result.peer)
    if (record === undefined || member === undefined) return []
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
    return [emitMemberDialFailed(member.digest, record, result.failure, now)]
  }

  #noteFailure(record: DialRecord, now: number): void {
    record.dialFailures++
    record.dialAfter = now + delayMs(backoffPolicy, record.dialFailures, this.#options.random())
  }

  #poll(now: number): NeighbourEffect[] {
    if (now < this.#pollAt) return []
    const missingLinks = this.#options.neighbours - this.#ledger.linkedPeers.length
    const unlinked = this.#unlinked()
    this.#pollAt = missingLinks > 0 && unlinked.length > 0 ? now + pollMs : Infinity
    // A dial without a result counts as pending only until its timeout.
    const pendingDials = unlinked.filter(({ record }) => record.isDialling && record.dialAfter > now).length
    if (missingLinks <= pendingDials) return []
    const ready = unlinked.filter(({ digest, record }) => record.dialAfter <= now && digest.addresses.length > 0)
    return this.#shuffled(ready)
      .toSorted((a, b) => a.digest.links.length - b.digest.links.length)
      .slice(0, missingLinks - pendingDials)
      .map((candidate) => dial(candidate, now))
  }

  #unlinked(): Candidate[] {
    return this.#view.members().flatMap(({ digest }) => {
      const record = this.#ledger.isConnected(digest.peer) ? undefined : this.#records.get(digest.peer)
      return record === undefined ? [] : [{ digest, record }]
    })
  }

  #pollSoon(now: number): void {
    this.#pollAt = Math.min(this.#pollAt, now + pollMs)
  }

  #dialTurnAt(peer: string, now: number): number {
    const { self, random } = this.#options
    return now + (self < peer ? 0 : deferMs) + jitterMs * random()
  }

  #shuffled(candidates: readonly Candidate[]): Candidate[] {
    const keyed = candidates.map((candidate) => ({ candidate, key: this.#options.random() }))
    return keyed.toSorted((a, b) => a.key - b.key).map(({ candidate }) => candidate)
  }
}

/** One span per step of the back-off, then one per ten failures. */
function shouldEmit(failures: number): boolean {
  return failures <= backoffPolicy.stepsMs.length || failures % backoffPolicy.attempts === 0
}

function dial({ digest: { peer, addresses }, record }: Candidate, now: number): NeighbourEffect {
  record.isDialling = true
  record.dialledAt = now
  record.dialAfter = now + dialLimitMs + pollMs
  return { do: 'dial.peer', peer, addresses, limitMs: dialLimitMs }
}
