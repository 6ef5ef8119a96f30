import type { DiseaseName } from './diseases.ts'
import type { Witness } from './evidence/instance.ts'

/**
 * How sure a finding is. `certain`: an exact ledger or a statement of the node itself. `likely`: a trend, or an absence
 * while spans are missing. `insufficient`: the evidence lacks what `missing` says.
 */
export type Certainty = 'certain' | 'likely' | 'insufficient'

/** Whose the fault is. */
export interface FindingOwner {
  readonly mesh: string
  /** Configured name of the node; empty if the fault is of the whole mesh. */
  readonly node: string
  /** `service.instance.id` of the process; empty if of several. */
  readonly instance: string
  /**
   * What of the node: `registry requests of worker/fault`, `connections of a pair`, `streams /leak/1.0.0`, `application
   * collection sessions`, `seed /ip4/...`, `process`.
   */
  readonly part: string
}

/** Growth within the evidence. */
export interface Growth {
  readonly from: number
  readonly to: number
  /** `By` for bytes, otherwise what is counted: `entries`, `streams`, `retries`. */
  readonly unit: string
  readonly perHour: number
  /** Per connection that entered the ledger; undefined without churn. */
  readonly perEvent: number | undefined
}

/** What a rule found: one fault of one owner. */
export interface Finding {
  readonly disease: DiseaseName
  readonly owner: FindingOwner
  readonly certainty: Certainty
  /** Milliseconds since 1970; undefined if it was there from the first span on. */
  readonly sinceMs: number | undefined
  /** When it was last seen, of an event that may be over; without it, as long as its process runs. */
  readonly lastMs?: number | undefined
  /** One sentence with the numbers. */
  readonly summary: string
  readonly growth?: Growth
  /** Spans that prove it, at most eight. */
  readonly proof: readonly Witness[]
  /** What the evidence lacks, if it is insufficient. */
  readonly missing?: string
  /** Further nodes with the same fault or its effects, by name. */
  readonly alsoAt?: readonly string[]
}
