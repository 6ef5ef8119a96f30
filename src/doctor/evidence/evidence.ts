import type { Instance } from './instance.ts'
import type { LinkTable } from './link-table.ts'

/** What part of the spans was read. */
export interface Coverage {
  /** Whether every span of the period was asked for: only then a missing `mesh.seq` is a lost span. */
  readonly complete: boolean
  /** Why the answer is incomplete, in words for people; empty if it is not. */
  readonly partial: readonly string[]
}

/** What rules may ask. */
export interface Evidence extends Coverage {
  /** Start of the earliest span and end of the latest, milliseconds since 1970. */
  readonly fromMs: number
  readonly toMs: number
  /** One per process: a node that restarted has several. */
  readonly instances: readonly Instance[]
  readonly links: LinkTable
  /** Spans that were read, of which: */
  readonly spans: number
  /** those of other software, */
  readonly foreign: number
  /** and those that came twice. */
  readonly duplicates: number
  /** Processes whose evidence found no room. */
  readonly dropped: number
  /** Series, texts and names that found no room. */
  readonly omitted: number
}
