import type { AttributesOf, SpanEffect } from '../catalogue/span-effect.ts'
import type { ConnectionInfo, NetworkEffect } from './events.ts'
import { limits } from './limits.ts'
import { enter, Link } from './link.ts'
import type { Random } from './machine.ts'
import type { OwnedMap } from './owned-map.ts'
import type { Owner } from './owner.ts'
import { emitConnectionClosed, emitConnectionOpened, emitConnectionsRefused } from './spans/link.ts'
import { newTrace } from './trace.ts'

export type RefusalReason = AttributesOf<'mesh.connection.refused'>['mesh.refusal.reason']

type RefusalEffect = Extract<NetworkEffect, { readonly do: 'close' }> | SpanEffect

/** Refusals of one reason in one second. */
interface Burst {
  readonly beganAt: number
  /** Refusals with spans of their own, and without. */
  withSpan: number
  withoutSpan: number
}

/** Refused connections of one reason and second that have their own spans; one span counts the others. */
const spansPerBurst = 5
const burstMs = 1_000
/** A refused connection that is still open is closed again, and then aborted. */
const abortAfterMs = 2_000

/**
 * Connections that the ledger refused and that are still open. Each has a span for its opening and one for its closing,
 * unless more than five come in one second.
 */
export class Refusals {
  readonly #random: Random
  readonly #links: OwnedMap<string, Link>
  readonly #counts: { [R in RefusalReason]?: number } = {}
  #bursts: { readonly [R in RefusalReason]?: Burst } = {}
  /** When the first of them ends; the driver asks after every event. */
  #burstEndsAt = Infinity

  constructor(owner: Owner, random: Random) {
    this.#random = random
    this.#links = owner.map<string, Link>({
      name: 'refused',
      capacity: limits.refused,
      expiry: { event: 'its connection closes' },
      release: () => {},
    })
  }

  /** Refused connections so far. */
  get counts(): { readonly [R in RefusalReason]?: number } {
    return this.#counts
  }

  has(connection: string): boolean {
    return this.#links.has(connection)
  }

  values(): Iterable<Link> {
    return this.#links.values()
  }

  refuse(info: ConnectionInfo, reason: RefusalReason, now: number): RefusalEffect[] {
    this.#counts[reason] = (this.#counts[reason] ?? 0) + 1
    const link = new Link(info, now)
    enter(link, 'closing', now)
    const closeReason = reason === 'links-per-peer' ? 'limit' : reason
    link.ending = { reason: closeReason, by: 'us', goodbye: 'none', trace: undefined }
    this.#links.set(info.id, link, now)
    const close: RefusalEffect = { do: 'close', connection: info.id, abort: false }
    const [burst, endSpans] = this.#burstOf(reason, now)
    if (burst.withSpan >= spansPerBurst) {
      burst.withoutSpan++
      return [...endSpans, close]
    }
    burst.withSpan++
    link.openedSpan = newTrace(this.#random)
    return [...endSpans, emitConnectionOpened(info.peer, link, link.openedSpan, null, reason), close]
  }

  /** Forgets the refused connections that have closed, and closes the others again. `present`: ids of open connections. */
  reconcile(present: ReadonlySet<string>, now: number): RefusalEffect[] {
    return [...this.#links.values()].flatMap((link): RefusalEffect[] => {
      const { connection, info, openedAt } = link
      if (present.has(connection)) return [{ do: 'close', connection, abort: now - openedAt >= abortAfterMs }]
      this.#links.delete(connection)
      return link.openedSpan === undefined ? [] : [emitConnectionClosed(info.peer, link, now)]
    })
  }

  /** When a burst ends. */
  deadline(): number {
    return this.#burstEndsAt
  }

  tick(now: number): SpanEffect[] {
    if (now < this.#burstEndsAt) return []
    const bursts = Object.entries(this.#bursts) as readonly [RefusalReason, Burst][]
    const hasEnded = ([, { beganAt }]: readonly [RefusalReason, Burst]) => now >= beganAt + burstMs
    this.#setBursts(Object.fromEntries(bursts.filter((burst) => !hasEnded(burst))))
    return bursts
      .filter((burst) => hasEnded(burst) && burst[1].withoutSpan > 0)
      .map(([reason, { withoutSpan }]) => emitConnectionsRefused(reason, withoutSpan))
  }

  #burstOf(reason: RefusalReason, now: number): readonly [Burst, SpanEffect[]] {
    const endSpans = this.tick(now)
    const burst = this.#bursts[reason] ?? { beganAt: now, withSpan: 0, withoutSpan: 0 }
    this.#setBursts({ ...this.#bursts, [reason]: burst })
    return [burst, endSpans]
  }

  #setBursts(bursts: { readonly [R in RefusalReason]?: Burst }): void {
    this.#bursts = bursts
    this.#burstEndsAt = Math.min(Infinity, ...Object.values(bursts).map(({ beganAt }) => beganAt + burstMs))
  }
}
