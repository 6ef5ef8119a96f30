import type { Instance } from './instance.ts'
import type { LinkTable } from './link-table.ts'

/** What part of the spans was read. */
export interface Coverage {
  /** Whether every span of the period was asked for: only then a missing `mesh.seq` is a lost span. */
  readonly complete: boolean
  /** Why the answer is incomplete, in words for people; empty if it is not. What found no room is among it. */
  readonly partial: readonly string[]
}

/** What rules may ask. */
export interface Evidence extends Coverage {
  /** Start of the earliest span and end of the latest, milliseconds since 1970; without single spans of a wrong time. */
  readonly fromMs: number
  readonly toMs: number
  /** One per life, by its begin: a node that restarted has several, whatever its `service.instance.id`. */
  readonly instances: readonly Instance[]
  readonly links: LinkTable
  /** Spans that were read, of which: */
  readonly spans: number
  /** those of other software, */
  readonly foreign: number
  /** and those that came twice. */
  readonly duplicates: number
  /** Processes whose evidence found no room; `partial` says so if one of them lived long enough to be judged. */
  readonly dropped: number
  /** Series, texts and names that found no room. */
  readonly omitted: number
}
