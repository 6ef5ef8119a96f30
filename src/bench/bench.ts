import { availableParallelism } from 'node:os'
import { type Comparison, compare, type Round } from './report.ts'
import { control, reference } from './sides.ts'
import { machineUse } from './usage.ts'

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

/** Largest deviation of the A/A ratio from 1; beyond it a run is void. */
const maxNoise = 0.05
/** Time limit of a run: this factor of its estimate, plus a minute for a busy machine. */
const patience = { factor: 2, ms: 60_000 }

/** Runs a bench and summarizes it. Rejects if the run fails or exceeds its time limit. */
export async function runBench(bench: Bench, options: BenchOptions, context: BenchContext): Promise<BenchReport> {
  const at = new Date().toISOString()
  const startMs = performance.now()
  // Timers need an integer; the estimate may have fractions of a second.
  const limitMs = Math.ceil(bench.seconds(options) * 1_000 * patience.factor) + patience.ms
  const timeout = AbortSignal.timeout(limitMs)
  const signal = AbortSignal.any([context.signal, timeout])
  const machine = await machineUse()
  const { rounds, settings, notes } = await bench.run(options, { ...context, signal }).catch((error: unknown) => {
    if (!timeout.aborted) throw error
    throw new Error(`timeout after ${Math.round(limitMs / 1_000)} s, far beyond the estimate`, { cause: error })
  })
  const seconds = (performance.now() - startMs) / 1_000
  const stealMsPerS = ((await machineUse()).stealMs - machine.stealMs) / seconds
  const comparison = compare(rounds, reference, options.seed)
  const ratio = comparison.ratios[control]?.[bench.decisive]?.median
  const isVoid = ratio === undefined || Math.abs(ratio - 1) > maxNoise
  return {
    bench: bench.name,
    at,
    seconds: Math.round(seconds),
    node: process.version,
    cores: availableParallelism(),
    options,
    settings,
    noise: { metric: bench.decisive, ratio, void: isVoid },
    ...comparison,
    rounds,
    notes: [...notes, `the hypervisor gave ${Math.round(stealMsPerS)} CPU ms/s to others`],
  }
}
