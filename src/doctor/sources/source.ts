import type { TraceSpan } from '../../traces/trace.ts'
import type { Coverage } from '../evidence/evidence.ts'

/** The spans that the doctor is asked about. */
export interface Period {
  /** Milliseconds since 1970, by the clocks of the nodes; infinite for all. A span is within if it starts there. */
  readonly fromMs: number
  readonly toMs: number
}

/** What a source needs besides its address. */
export interface ReadOptions {
  readonly period: Period
  /** `service.name`; of all meshes by default. */
  readonly mesh?: string | undefined
  /** Gets each span. `again`: it may have had the span before, since a trace was read twice. */
  readonly add: (span: TraceSpan, again: boolean) => void
  /** Gets a line now and then: how far the source is. */
  readonly progress: (text: string) => void
  readonly signal: AbortSignal
}

/** What a source has read. */
export interface Reading extends Coverage {
  /** What was read, in words for people. */
  readonly read: readonly string[]
  readonly bytes: number
  /** To a trace store. */
  readonly requests: number
}

/** Whether a span is one that the doctor is asked about. */
export function isWanted({ period, mesh }: Pick<ReadOptions, 'period' | 'mesh'>): (span: TraceSpan) => boolean {
  const { fromMs, toMs } = period
  return (span) => span.startMs >= fromMs && span.startMs < toMs && (mesh === undefined || span.service === mesh)
}
