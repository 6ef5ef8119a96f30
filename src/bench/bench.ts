import type { Comparison, Round } from './compare.ts'

/** What is measured, and how long. */
export interface BenchOptions {
  /** Processes of each side. */
  readonly nodes: number
  /** Rounds in which every side is measured once. */
  readonly pairs: number
  /** Seconds of one measurement. */
  readonly window: number
  /** Seconds between the last link and the first measurement; of `fanout` those in which each side warms up. */
  readonly settle: number
  /** Messages per second and bytes in each; only `fanout` publishes. */
  readonly rate: number
  readonly bytes: number
  /** Draws the graph and the intervals. */
  readonly seed: number
  /** Programs of others that speak the protocol. */
  readonly peers: readonly { readonly name: string; readonly command: string }[]
  /** Whether stock is measured with the process settings of a mesh node, too. */
  readonly bare: boolean
}

/** Of each side: flags and variables that its processes have, and nobody else by default. */
export type SideSettings = Readonly<Record<string, readonly string[]>>

export interface BenchContext {
  /** One line for whoever waits. */
  progress(text: string): void
  /** Aborts when nobody waits any more. */
  readonly signal: AbortSignal
}

export interface BenchResult {
  readonly rounds: readonly Round[]
  readonly settings: SideSettings
  /** What has to be known to read the figures. */
  readonly notes: readonly string[]
}

/** One of `npm run bench -- idle|fanout|join`. */
export interface Bench {
  readonly name: string
  readonly about: string
  readonly defaults: BenchOptions
  /** The metric that tells by the A/A pair whether the run counts. */
  readonly decisive: string
  /** Seconds that a run takes, about. */
  seconds(options: BenchOptions): number
  run(options: BenchOptions, context: BenchContext): Promise<BenchResult>
}

/** What a run says, for programs to read. */
export interface BenchReport extends Comparison {
  readonly bench: string
  /** ISO 8601, when it began. */
  readonly at: string
  readonly seconds: number
  readonly node: string
  readonly cores: number
  readonly options: BenchOptions
  readonly settings: SideSettings
  /** The reference beside itself: the run is void when it is off by more than 5 %. */
  readonly noise: { readonly metric: string; readonly ratio: number | undefined; readonly void: boolean }
  readonly rounds: readonly Round[]
  readonly notes: readonly string[]
}
