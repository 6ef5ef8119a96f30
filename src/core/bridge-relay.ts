import type { SpanEffect } from '../catalogue/span-effect.ts'
import type { Crossing, NetworkEffect, NetworkEvent } from './events.ts'
import { limits } from './limits.ts'
import type { Machine } from './machine.ts'
import type { OwnedMap } from './owned-map.ts'
import type { Owner } from './owner.ts'
import { emitDropped, emitForwarded, emitRelayLimit, type Passage } from './relay-spans.ts'
import { rank } from './rendezvous.ts'

export type RelayEvent =
  | Extract<NetworkEvent, { readonly type: 'crossing' | 'crossing.refused' }>
  | { readonly type: 'tick' }

export type RelayEffect = Extract<NetworkEffect, { readonly do: 'forward' }> | SpanEffect

export interface RelayOptions {
  /** Own peer id. */
  readonly self: string
  /** The two meshes of this bridge. A node that is in one mesh relays nothing. */
  readonly meshes: readonly string[]
  /** Bridges that a message may pass in all. */
  readonly hopLimit: number
  /** Milliseconds that each bridge gives those before it in an origin's order. */
  readonly takeoverMs: number
  /** Milliseconds for which a message is remembered after it was last heard. */
  readonly seenTtlMs: number
  /** Peer ids of the other live bridges between the same two meshes. */
  readonly bridges: () => readonly string[]
}

/** Where a message has been, as far as this bridge knows: its own forwarding counts. */
interface SeenMessage {
  readonly meshes: readonly string[]
  /** So far it was only heard past its hop limit. Hops are not signed, so an honest copy may still come. */
  readonly isOverHopLimit: boolean
}

interface PendingForward extends Passage {
  readonly dueAt: number
}

/** A forger's messages would otherwise become spans one for one. Guess. */
const refusalSpansPerSecond = 10

/**
 * Carries messages between the two meshes of a bridge. Of several bridges one acts for each origin; the next in that
 * origin's order acts when it has not heard the message in the other mesh after `takeoverMs`, and so on.
 *
 * What holds: this bridge forwards a message at most once while it remembers it, and never into its origin mesh or a
 * mesh it has heard it in. Among live bridges that agree on who is one, a message enters the other mesh once, if the
 * time by which they hear it apart and the way through the other mesh take less than `takeoverMs` together. Otherwise
 * it may enter again: receivers tell copies by `crossing.id`. What was decided is told once per message.
 */
export class BridgeRelay implements Machine<RelayEvent, RelayEffect> {
  readonly #options: RelayOptions
  readonly #seenMessages: OwnedMap<string, SeenMessage>
  readonly #pendingForwards: OwnedMap<string, PendingForward>
  #pendingBytes = 0
  /** Not later than the earliest `dueAt`: a message that stops waiting leaves it as it is. */
  #dueAt = Infinity
  #sweepAt = Infinity
  #limitSpanAt = -Infinity
  #refusalWindowAt = -Infinity
  #refusals = 0

  constructor(owner: Owner, options: RelayOptions) {
    this.#options = options
    this.#seenMessages = owner.map<string, SeenMessage>({
      name: 'relay_seen',
      capacity: limits.relaySeen,
      expiry: { idleMs: options.seenTtlMs },
      release: () => {},
    })
    this.#pendingForwards = owner.map<string, PendingForward>({
      name: 'relay_waiting',
      capacity: limits.relayWaiting,
      expiry: { event: 'due, or heard in the other mesh' },
      release: ({ crossing }) => {
        this.#pendingBytes -= crossing.sealed.length
      },
    })
  }

  handle(event: RelayEvent, now: number): RelayEffect[] {
    if (event.type === 'tick') return this.#tick(now)
    const to = this.#otherMesh(event.mesh)
    if (to === undefined) return []
    if (event.type === 'crossing') return this.#receive(event.crossing, event.mesh, to, now)
    return this.#mayEmitRefusal(now) ? [emitDropped('bad-signature', event.mesh, to, event)] : []
  }

  deadline(): number {
    return Math.min(this.#dueAt, this.#sweepAt)
  }

  #otherMesh(mesh: string): string | undefined {
    const { meshes } = this.#options
    return meshes.includes(mesh) ? meshes.find((other) => other !== mesh) : undefined
  }

  #receive(crossing: Crossing, mesh: string, to: string, now: number): RelayEffect[] {
    const { id } = crossing
    const seen = this.#seenMessages.get(id)
    const isOverHopLimit = crossing.hops >= this.#options.hopLimit
    if (seen?.meshes.includes(mesh) && (isOverHopLimit || !seen.isOverHopLimit)) {
      this.#seenMessages.touch(id, now)
      return []
    }
    const seenMeshes = seen?.meshes ?? []
    this.#recordSeen(
      id,
      { meshes: [...seenMeshes.filter((other) => other !== mesh), mesh], isOverHopLimit: isOverHopLimit },
      now,
    )
    const pending = this.#pendingForwards.get(id)
    if (pending !== undefined) return pending.to === mesh ? this.#standDown(pending) : []
    if (seenMeshes.includes(to)) return []
    return this.#decide(crossing, mesh, to, now)
  }

  /** For a message that was not heard in `to` so far. */
  #decide(crossing: Crossing, from: string, to: string, now: number): RelayEffect[] {
    const { self, hopLimit, bridges } = this.#options
    if (crossing.originMesh === to) return [emitDropped('seen', from, to, crossing)]
    if (crossing.hops >= hopLimit) return [emitDropped('hop-limit', from, to, crossing)]
    const passage = { from, to, rank: rank(crossing.origin, self, bridges()), crossing }
    return passage.rank === 0 ? this.#forward(passage, now) : this.#defer(passage, now)
  }

  #forward(passage: Passage, now: number): RelayEffect[] {
    const { from, to, crossing } = passage
    this.#recordSeen(crossing.id, { meshes: [from, to], isOverHopLimit: false }, now)
    const forwardedCrossing = { ...crossing, hops: crossing.hops + 1 }
    return [{ do: 'forward', mesh: to, crossing: forwardedCrossing }, emitForwarded(passage)]
  }

  /** When too many wait already, it is this one that goes: those before it are nearer to their time. */
  #defer(passage: Passage, now: number): RelayEffect[] {
    const { from, to, crossing } = passage
    const bytes = this.#pendingBytes + crossing.sealed.length
    if (this.#pendingForwards.size >= limits.relayWaiting || bytes > limits.relayWaitingBytes) {
      return [emitDropped('limit', from, to, crossing), ...this.#emitLimit(now)]
    }
    const dueAt = now + passage.rank * this.#options.takeoverMs
    this.#pendingForwards.set(crossing.id, { ...passage, dueAt }, now)
    this.#pendingBytes = bytes
    this.#dueAt = Math.min(this.#dueAt, dueAt)
    return []
  }

  #standDown({ from, to, crossing }: PendingForward): RelayEffect[] {
    this.#pendingForwards.delete(crossing.id)
    return [emitDropped('other-bridge', from, to, crossing)]
  }

  #tick(now: number): RelayEffect[] {
    const effects = this.#dueAt <= now ? this.#takeOver(now) : []
    if (this.#sweepAt <= now) {
      this.#seenMessages.expire(now)
      this.#sweepAt = this.#seenMessages.size === 0 ? Infinity : now + this.#sweepMs
    }
    return effects
  }

  #takeOver(now: number): RelayEffect[] {
    const effects: RelayEffect[] = []
    this.#dueAt = Infinity
    for (const pending of this.#pendingForwards.values()) {
      if (pending.dueAt > now) {
        this.#dueAt = Math.min(this.#dueAt, pending.dueAt)
        continue
      }
      this.#pendingForwards.delete(pending.crossing.id)
      effects.push(...this.#forward(pending, now))
    }
    return effects
  }

  #recordSeen(id: string, seen: SeenMessage, now: number): void {
    this.#seenMessages.set(id, seen, now)
    if (this.#sweepAt === Infinity) this.#sweepAt = now + this.#sweepMs
  }

  /** A message is forgotten at most this long after its time. */
  get #sweepMs(): number {
    return this.#options.seenTtlMs / 4
  }

  #emitLimit(now: number): RelayEffect[] {
    if (now - this.#limitSpanAt < 1_000) return []
    this.#limitSpanAt = now
    return [emitRelayLimit(this.#pendingForwards.size >= limits.relayWaiting ? 'relayWaiting' : 'relayWaitingBytes')]
  }

  #mayEmitRefusal(now: number): boolean {
    if (now - this.#refusalWindowAt >= 1_000) {
      this.#refusalWindowAt = now
      this.#refusals = 0
    }
    this.#refusals += 1
    return this.#refusals <= refusalSpansPerSecond
  }
}
