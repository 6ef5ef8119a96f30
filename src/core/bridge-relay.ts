import type { SpanEffect } from '../catalogue/span-effect.ts'
import type { Crossing, NetworkEffect, NetworkEvent } from './events.ts'
import { limits } from './limits.ts'
import type { Machine } from './machine.ts'
import type { OwnedMap } from './owned-map.ts'
import type { Owner } from './owner.ts'
import { dropped, forwarded, type Passage, refusedFor } from './relay-spans.ts'
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
  readonly seenMs: number
  /** Peer ids of the other live bridges between the same two meshes. */
  readonly bridges: () => readonly string[]
}

/** Where a message has been, as far as this bridge knows: its own forwarding counts. */
interface Seen {
  readonly meshes: readonly string[]
  /** So far it was only heard past its hop limit. Hops are not signed, so an honest copy may still come. */
  readonly spent: boolean
}

interface Waiting extends Passage {
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
  readonly #seen: OwnedMap<string, Seen>
  readonly #waiting: OwnedMap<string, Waiting>
  #waitingBytes = 0
  /** Not later than the earliest `dueAt`: a message that stops waiting leaves it as it is. */
  #dueAt = Infinity
  #sweepAt = Infinity
  #limitSpanAt = -Infinity
  #refusalsFrom = -Infinity
  #refusals = 0

  constructor(owner: Owner, options: RelayOptions) {
    this.#options = options
    this.#seen = owner.map<string, Seen>({
      name: 'relay_seen',
      capacity: limits.relaySeen,
      expiry: { idleMs: options.seenMs },
      release: () => {},
    })
    this.#waiting = owner.map<string, Waiting>({
      name: 'relay_waiting',
      capacity: limits.relayWaiting,
      expiry: { event: 'due, or heard in the other mesh' },
      release: ({ crossing }) => {
        this.#waitingBytes -= crossing.sealed.length
      },
    })
  }

  handle(event: RelayEvent, now: number): RelayEffect[] {
    if (event.type === 'tick') return this.#tick(now)
    const to = this.#otherThan(event.mesh)
    if (to === undefined) return []
    if (event.type === 'crossing') return this.#heard(event.crossing, event.mesh, to, now)
    return this.#mayEmitRefusal(now) ? [dropped('bad-signature', event.mesh, to, event)] : []
  }

  deadline(): number {
    return Math.min(this.#dueAt, this.#sweepAt)
  }

  #otherThan(mesh: string): string | undefined {
    const { meshes } = this.#options
    return meshes.includes(mesh) ? meshes.find((other) => other !== mesh) : undefined
  }

  #heard(crossing: Crossing, mesh: string, to: string, now: number): RelayEffect[] {
    const { id } = crossing
    const seen = this.#seen.get(id)
    const spent = crossing.hops >= this.#options.hopLimit
    if (seen?.meshes.includes(mesh) && (spent || !seen.spent)) {
      this.#seen.touch(id, now)
      return []
    }
    const known = seen?.meshes ?? []
    this.#remember(id, { meshes: [...known.filter((other) => other !== mesh), mesh], spent }, now)
    const waiting = this.#waiting.get(id)
    if (waiting !== undefined) return waiting.to === mesh ? this.#standDown(waiting) : []
    if (known.includes(to)) return []
    return this.#decide(crossing, mesh, to, now)
  }

  /** For a message that was not heard in `to` so far. */
  #decide(crossing: Crossing, from: string, to: string, now: number): RelayEffect[] {
    const { self, hopLimit, bridges } = this.#options
    if (crossing.originMesh === to) return [dropped('seen', from, to, crossing)]
    if (crossing.hops >= hopLimit) return [dropped('hop-limit', from, to, crossing)]
    const passage = { from, to, rank: rank(crossing.origin, self, bridges()), crossing }
    return passage.rank === 0 ? this.#forward(passage, now) : this.#wait(passage, now)
  }

  #forward(passage: Passage, now: number): RelayEffect[] {
    const { from, to, crossing } = passage
    this.#remember(crossing.id, { meshes: [from, to], spent: false }, now)
    const onward = { ...crossing, hops: crossing.hops + 1 }
    return [{ do: 'forward', mesh: to, crossing: onward }, forwarded(passage)]
  }

  /** When too many wait already, it is this one that goes: those before it are nearer to their time. */
  #wait(passage: Passage, now: number): RelayEffect[] {
    const { from, to, crossing } = passage
    const bytes = this.#waitingBytes + crossing.sealed.length
    if (this.#waiting.size >= limits.relayWaiting || bytes > limits.relayWaitingBytes) {
      return [dropped('limit', from, to, crossing), ...this.#emitLimit(now)]
    }
    const dueAt = now + passage.rank * this.#options.takeoverMs
    this.#waiting.set(crossing.id, { ...passage, dueAt }, now)
    this.#waitingBytes = bytes
    this.#dueAt = Math.min(this.#dueAt, dueAt)
    return []
  }

  #standDown({ from, to, crossing }: Waiting): RelayEffect[] {
    this.#waiting.delete(crossing.id)
    return [dropped('other-bridge', from, to, crossing)]
  }

  #tick(now: number): RelayEffect[] {
    const effects = this.#dueAt <= now ? this.#takeOver(now) : []
    if (this.#sweepAt <= now) {
      this.#seen.expire(now)
      this.#sweepAt = this.#seen.size === 0 ? Infinity : now + this.#sweepMs
    }
    return effects
  }

  #takeOver(now: number): RelayEffect[] {
    const effects: RelayEffect[] = []
    this.#dueAt = Infinity
    for (const waiting of this.#waiting.values()) {
      if (waiting.dueAt > now) {
        this.#dueAt = Math.min(this.#dueAt, waiting.dueAt)
        continue
      }
      this.#waiting.delete(waiting.crossing.id)
      effects.push(...this.#forward(waiting, now))
    }
    return effects
  }

  #remember(id: string, seen: Seen, now: number): void {
    this.#seen.set(id, seen, now)
    if (this.#sweepAt === Infinity) this.#sweepAt = now + this.#sweepMs
  }

  /** A message is forgotten at most this long after its time. */
  get #sweepMs(): number {
    return this.#options.seenMs / 4
  }

  #emitLimit(now: number): RelayEffect[] {
    if (now - this.#limitSpanAt < 1_000) return []
    this.#limitSpanAt = now
    return [refusedFor(this.#waiting.size >= limits.relayWaiting ? 'relayWaiting' : 'relayWaitingBytes')]
  }

  #mayEmitRefusal(now: number): boolean {
    if (now - this.#refusalsFrom >= 1_000) {
      this.#refusalsFrom = now
      this.#refusals = 0
    }
    this.#refusals += 1
    return this.#refusals <= refusalSpansPerSecond
  }
}
