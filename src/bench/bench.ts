import type { Comparison, Round } from './compare.ts'

/** What to measure, and for how long. */
export interface BenchOptions {
  /** Processes of each side. */
  readonly nodes: number
  /** Rounds in which every side is measured once. */
  readonly pairs: number
  /** Seconds of one measurement. */
  readonly window: number
  /** Seconds between the last link and the first measurement; for `fanout` the warm-up of each side. */
  readonly settle: number
  /** Messages per second and bytes in each; only `fanout` publishes. */
  readonly rate: number
  readonly bytes: number
  /** Seed of the random graph and of the confidence intervals. */
  readonly seed: number
  /** Other programs that speak the bench protocol. */
  readonly peers: readonly { readonly name: string; readonly command: string }[]
  /** Whether to measure stock with the process settings of a mesh node as well. */
  readonly bare: boolean
}

/** Flags and variables of each side that are not defaults. */
export type SideSettings = Readonly<Record<string, readonly string[]>>

export interface BenchContext {
  /** Reports one line of progress. */
  progress(text: string): void
  /** Aborts the run. */
  readonly signal: AbortSignal
}

export interface BenchResult {
  readonly rounds: readonly Round[]
  readonly settings: SideSettings
  /** Notes needed to interpret the figures. */
  readonly notes: readonly string[]
}

/** One of `npm run bench -- idle|fanout|join`. */
export interface Bench {
  readonly name: string
  readonly about: string
  readonly defaults: BenchOptions
  /** Metric whose A/A ratio decides whether the run is valid. */
  readonly decisive: string
  /** Estimated seconds of a run. */
  seconds(options: BenchOptions): number
  run(options: BenchOptions, context: BenchContext): Promise<BenchResult>
}

/** Machine-readable result of a run. */
export interface BenchReport extends Comparison {
  readonly bench: string
  /** Start time, ISO 8601. */
  readonly at: string
  readonly seconds: number
  readonly node: string
  readonly cores: number
  readonly options: BenchOptions
  readonly settings: SideSettings
  /** Ratio of the reference to itself: the run is void if it is off by more than 5 %. */
  readonly noise: { readonly metric: string; readonly ratio: number | undefined; readonly void: boolean }
  readonly rounds: readonly Round[]
  readonly notes: readonly string[]
}
