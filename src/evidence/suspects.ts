import { ageBand } from '../catalogue/bands.ts'
import { type AttributesOf, emitSpan, type SpanEffect } from '../catalogue/span-effect.ts'
import type { TraceRef } from '../core/trace.ts'

type SuspectAttributes = AttributesOf<'mesh.audit.suspect'>
type Change = SuspectAttributes['mesh.suspect.change']

/** A connection that should be closed. */
export interface Suspect {
  readonly connection: string
  readonly peer: string
  readonly reason: SuspectAttributes['mesh.suspect.reason']
  readonly ageMs: number
  readonly direction: 'inbound' | 'outbound'
  /** Remote multiaddr. */
  readonly address: string
  /** Its `mesh.connection.opened`; undefined if the mesh never saw it open. */
  readonly openedSpan: TraceRef | undefined
}

/** Suspects with spans of their own; `mesh.audit.suspects` counts all. */
export const maxSuspects = 64

/** Reports a suspect when it appears, when it reaches another age band, and when it is gone; the oldest ones first. */
export class SuspectWatch {
  /** At most `maxSuspects`. */
  #reported: readonly Suspect[] = []

  report(suspects: readonly Suspect[], audit: TraceRef): readonly SpanEffect[] {
    const before = this.#reported
    this.#reported = suspects.toSorted((a, b) => b.ageMs - a.ageMs).slice(0, maxSuspects)
    const present = new Set(suspects.map(keyOf))
    return [
      ...before.filter((suspect) => !present.has(keyOf(suspect))).map((suspect) => suspectSpan(suspect, 'gone', audit)),
      ...this.#reported.flatMap((suspect) => {
        const last = before.find((one) => keyOf(one) === keyOf(suspect))
        if (last === undefined) return [suspectSpan(suspect, 'appeared', audit)]
        return ageBand(last.ageMs) === ageBand(suspect.ageMs) ? [] : [suspectSpan(suspect, 'older', audit)]
      }),
    ]
  }
}

function keyOf({ connection, reason }: Suspect): string {
  return `${connection} ${reason}`
}

function suspectSpan(suspect: Suspect, change: Change, parent: TraceRef): SpanEffect {
  const { connection, peer, reason, ageMs, direction, address, openedSpan } = suspect
  return emitSpan(
    'mesh.audit.suspect',
    {
      'mesh.connection.id': connection,
      'mesh.peer.id': peer,
      'mesh.suspect.reason': reason,
      'mesh.suspect.change': change,
      'mesh.connection.age_ms': Math.round(ageMs),
      'mesh.connection.age_band': ageBand(ageMs),
      'mesh.connection.direction': direction,
      'mesh.connection.address': address,
    },
    { parent, links: openedSpan === undefined ? [] : [openedSpan] },
  )
}
