import { type AttributesOf, emitSpan, type SpanEffect } from '../catalogue/span-effect.ts'
import { errorMessage } from '../core/errors.ts'
import type { Clock, Random } from '../core/machine.ts'
import { childOf, newTrace, type TraceRef } from '../core/trace.ts'
import { type Invariant, InvariantWatch } from './invariants.ts'
import { type Suspect, SuspectWatch } from './suspects.ts'

type AuditAttributes = AttributesOf<'mesh.audit'>
export type CensusCause = AuditAttributes['mesh.audit.cause']

/** What one layer counts at one moment. */
export interface CensusPart {
  /** Attributes of `mesh.audit`, declared in `catalogue/census.ts`. */
  readonly attributes?: Partial<AuditAttributes>
  /** Children of `mesh.audit`. */
  readonly children?: (audit: TraceRef) => readonly SpanEffect[]
  /** What the layer counts in two ways, or bounds: the census reports those that stay broken. */
  readonly invariants?: readonly Invariant[]
  /** Connections that should be closed. */
  readonly suspects?: readonly Suspect[]
}

/** One layer of the node. */
export interface CensusSource {
  /** For a reader of `mesh.audit.unread`. */
  readonly name: string
  read(now: number): CensusPart | Promise<CensusPart>
}

export interface CensusOptions {
  readonly sources: readonly CensusSource[]
  readonly clock: Clock
  readonly random: Random
}

/**
 * Takes the census: reads all layers, and returns `mesh.audit` and its children. A layer that cannot be read costs only
 * its own attributes. A count that rises is cumulative, so that a lost span loses no count.
 */
export class Census {
  readonly #options: CensusOptions
  readonly #invariants = new InvariantWatch()
  readonly #suspects = new SuspectWatch()

  constructor(options: CensusOptions) {
    this.#options = options
  }

  async take(cause: CensusCause, window: TraceRef | undefined): Promise<SpanEffect[]> {
    const { clock, random, sources } = this.#options
    const unreadSources: string[] = []
    const parts: CensusPart[] = []
    // One after the other: the clock then says when each was read, and most are synchronous.
    for (const source of sources) {
      try {
        const part = source.read(clock.now())
        parts.push(part instanceof Promise ? await part : part)
      } catch (error) {
        unreadSources.push(`${source.name}: ${errorMessage(error)}`.slice(0, 256))
      }
    }
    const audit = window === undefined ? newTrace(random) : childOf(window, random)
    return this.#spansOf(parts, { cause, unreadSources, audit, window })
  }

  #spansOf(
    parts: readonly CensusPart[],
    at: {
      readonly cause: CensusCause
      readonly unreadSources: readonly string[]
      readonly audit: TraceRef
      readonly window: TraceRef | undefined
    },
  ): SpanEffect[] {
    const now = this.#options.clock.now()
    const brokenInvariants = this.#invariants.judge(
      parts.flatMap(({ invariants = [] }) => invariants),
      now,
    )
    const suspects = parts.flatMap(({ suspects = [] }) => suspects)
    const attributes: AuditAttributes = {
      'mesh.audit.verdict': brokenInvariants.length > 0 ? 'differs' : 'consistent',
      'mesh.audit.cause': at.cause,
      ...(at.unreadSources.length > 0 && { 'mesh.audit.unread': at.unreadSources }),
      ...Object.assign({}, ...parts.map(({ attributes = {} }) => attributes)),
      'mesh.audit.suspects': suspects.length,
    }
    const place = { ref: at.audit, ...(at.window && { parent: at.window }) }
    return [
      emitSpan('mesh.audit', attributes, place),
      ...parts.flatMap(({ children }) => children?.(at.audit) ?? []),
      ...this.#suspects.report(suspects, at.audit),
      ...brokenInvariants.map((broken) => broken.span(at.audit)),
    ]
  }
}
