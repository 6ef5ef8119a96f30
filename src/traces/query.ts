import type { Trace } from './trace.ts'

export interface Query {
  readonly service: string
  /** Name of a span; any when left out. */
  readonly span?: string
  /** Milliseconds since 1970; a span counts when it starts within, ends included. */
  readonly fromMs: number
  readonly toMs: number
  /** All of them equal on one span, or on that span's resource. */
  readonly attributes?: Readonly<Record<string, string | number | boolean>>
  /** Traces, the newest first. 100 unless given. */
  readonly limit?: number
}

export interface Found {
  readonly traces: readonly Trace[]
  /** Why there may be more or less than this; undefined when complete. */
  readonly partial: string | undefined
}
