import type { Trace } from './trace.ts'

export interface Query {
  readonly service: string
  /** Name of a span; default: any. */
  readonly span?: string
  /** Milliseconds since 1970; a span matches if it starts within, both bounds included. */
  readonly fromMs: number
  readonly toMs: number
  /** One span, with its resource, has to match all of them. */
  readonly attributes?: Readonly<Record<string, string | number | boolean>>
  /** Most traces, the newest first; default 100. */
  readonly limit?: number
}

export interface FindResult {
  readonly traces: readonly Trace[]
  /** Why the result is incomplete; undefined if it is complete. */
  readonly partial: string | undefined
}
